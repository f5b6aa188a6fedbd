-- Day by day, each one look-up of the primary key: it stops at the first working day, most often at once. Not in SQL: a
-- call would be planned anew in each statement.
CREATE OR REPLACE FUNCTION lead_protection.next_working_day(calendar_id bigint, day date)
RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rest_days integer [];
    found_day date := next_working_day.day;
BEGIN
    SELECT c.rest_days INTO rest_days
    FROM lead_protection.calendars AS c
    WHERE c.id = next_working_day.calendar_id;
    IF rest_days IS NULL OR NOT isfinite(found_day) THEN
        RETURN NULL;
    END IF;
    WHILE
        extract(ISODOW FROM found_day)::integer = ANY(rest_days)
        OR EXISTS (
            SELECT FROM lead_protection.calendar_days AS d
            WHERE d.calendar_id = next_working_day.calendar_id AND d.date = found_day
        )
    LOOP
        found_day := found_day + 1;
    END LOOP;
    RETURN found_day;
END;
$$;

COMMENT ON FUNCTION lead_protection.next_working_day(bigint, date) IS
'The day itself if it is a working day by the calendar, or else the first one after it; see is_working_day(). Null if '
'there is no such calendar, or day is null or infinite.';
