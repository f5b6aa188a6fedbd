CREATE OR REPLACE FUNCTION lead_protection.is_working_day(calendar_id bigint, day date)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT
        extract(ISODOW FROM is_working_day.day)::integer <> all(c.rest_days)
        AND NOT EXISTS (
            SELECT FROM lead_protection.calendar_days AS d
            WHERE d.calendar_id = is_working_day.calendar_id AND d.date = is_working_day.day
        )
    FROM lead_protection.calendars AS c
    WHERE c.id = is_working_day.calendar_id
);

COMMENT ON FUNCTION lead_protection.is_working_day(bigint, date) IS
'Whether a day is a working day by a calendar: neither one of its rest days nor one of its days. Before the first and '
'after the last year of the calendar only the rest days count. Null if there is no such calendar, or day is null or '
'infinite. calendar_id is calendars.id, a version.';
