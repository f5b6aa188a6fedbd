CREATE OR REPLACE FUNCTION lead_protection.next_working_day(calendar_id bigint, day date)
RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
RETURN lead_protection.nearest_working_day(next_working_day.calendar_id, next_working_day.day, true);

COMMENT ON FUNCTION lead_protection.next_working_day(bigint, date) IS
'The day itself if it is a working day by the calendar, or else the first one after it; see is_working_day(). Null if '
'there is no such calendar, or day is null or infinite.';
