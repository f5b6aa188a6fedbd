CREATE OR REPLACE VIEW lead_protection.v_calendar_days AS
SELECT
    d.calendar_id,
    c.code,
    c.version,
    NOT EXISTS (
        SELECT FROM lead_protection.calendars AS later
        WHERE later.code = c.code AND later.version > c.version
    ) AS is_latest,
    d.date,
    d.name,
    extract(ISODOW FROM d.date)::integer = any(c.rest_days) AS on_rest_day
FROM lead_protection.calendar_days AS d
INNER JOIN lead_protection.calendars AS c ON d.calendar_id = c.id;

COMMENT ON VIEW lead_protection.v_calendar_days IS
'The days of each calendar that are no working days, its rest days left out. For one calendar filter by calendar_id, '
'or by code and is_latest.';
COMMENT ON COLUMN lead_protection.v_calendar_days.calendar_id IS 'The calendar: calendars.id, a version.';
COMMENT ON COLUMN lead_protection.v_calendar_days.code IS 'The code of the calendar, such as DE-NW.';
COMMENT ON COLUMN lead_protection.v_calendar_days.version IS 'The version of the calendar.';
COMMENT ON COLUMN lead_protection.v_calendar_days.is_latest IS 'Whether the code has no later version.';
COMMENT ON COLUMN lead_protection.v_calendar_days.date IS 'The day.';
COMMENT ON COLUMN lead_protection.v_calendar_days.name IS 'What it is called.';
COMMENT ON COLUMN lead_protection.v_calendar_days.on_rest_day IS
'Whether it falls on a rest day: it would be no working day anyway.';
