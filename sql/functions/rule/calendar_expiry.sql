-- One interval of months and days: PostgreSQL adds the months first, then the days, on the local calendar.
-- A local time that the clock change skips is read with the offset before it, one that it repeats as the later.
CREATE OR REPLACE FUNCTION lead_protection.calendar_expiry(
    started_at timestamptz, time_zone text, months integer, days integer
)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    (calendar_expiry.started_at AT TIME ZONE calendar_expiry.time_zone)
    + make_interval(months => calendar_expiry.months, days => calendar_expiry.days)
) AT TIME ZONE calendar_expiry.time_zone;

COMMENT ON FUNCTION lead_protection.calendar_expiry(timestamptz, text, integer, integer) IS
'started_at plus months, then days, on the wall clock of time_zone (a name of the time zone database), turned back '
'into an instant. Null if any is null.';
