CREATE OR REPLACE FUNCTION lead_protection.retry_pause(delay interval, failures bigint)
RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Cut before it overflows: 2^40 milliseconds are more than a day, and so the rest does not matter.
RETURN least(
    make_interval(secs => extract(EPOCH FROM delay)::double precision * power(2, least(failures, 40) - 1)),
    INTERVAL '24 hours'
);

COMMENT ON FUNCTION lead_protection.retry_pause(interval, bigint) IS
'The pause after so many failures (1 or more): delay after the first, twice as long after each further one, 24 hours at most. Elapsed time. Internal.';
