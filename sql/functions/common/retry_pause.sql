CREATE OR REPLACE FUNCTION lead_protection.retry_pause(delay interval, failures bigint)
RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Cut to a day while it is a number, which no power overflows: 2^40 milliseconds are many days.
RETURN make_interval(
    secs => least(
        extract(EPOCH FROM retry_pause.delay)::double precision * power(2, least(retry_pause.failures, 41) - 1), 86400
    )
);

COMMENT ON FUNCTION lead_protection.retry_pause(interval, bigint) IS
'The pause after so many failures (1 or more): delay after the first, twice as long after each further one, 24 hours '
'at most. Elapsed time. Internal.';
