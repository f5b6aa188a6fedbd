-- timestamptz + interval counts an interval's days in the session's time zone, where a day may have 23 hours.
-- Elapsed time must not: in UTC every day has 24.
CREATE OR REPLACE FUNCTION lead_protection.plus_elapsed(instant timestamptz, elapsed interval)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((plus_elapsed.instant AT TIME ZONE 'UTC') + plus_elapsed.elapsed) AT TIME ZONE 'UTC';

COMMENT ON FUNCTION lead_protection.plus_elapsed(timestamptz, interval) IS
'instant plus an exact elapsed length (a day is 24 hours), whatever the session''s TimeZone. Null if either is null.';
