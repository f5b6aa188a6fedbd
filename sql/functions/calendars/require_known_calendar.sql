CREATE OR REPLACE FUNCTION lead_protection.require_known_calendar(calendar_id bigint)
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM lead_protection.calendars AS c WHERE c.id = require_known_calendar.calendar_id
    ) THEN
        RAISE EXCEPTION 'calendar % is unknown', require_known_calendar.calendar_id
            USING ERRCODE = 'LP092',
            DETAIL = 'There is no such row in lead_protection.calendars.',
            HINT = 'Check the calendar''s number: it is the id of a version, and not its code.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_known_calendar(bigint) IS
'Refuses an unknown calendar (LP092). Internal.';
