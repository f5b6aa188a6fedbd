-- Day by day, each a look-up or two by primary key: it stops at the first working day, most often at once. Not in SQL:
-- a call would be planned anew in each statement.
CREATE OR REPLACE FUNCTION lead_protection.nearest_working_day(calendar_id bigint, day date, later boolean)
RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_day date := nearest_working_day.day;
    is_worked boolean;
BEGIN
    LOOP
        is_worked := lead_protection.is_working_day(nearest_working_day.calendar_id, found_day);
        EXIT WHEN is_worked IS NOT false;
        found_day := found_day + CASE WHEN nearest_working_day.later THEN 1 ELSE -1 END;
    END LOOP;
    RETURN CASE WHEN is_worked THEN found_day END;
END;
$$;

COMMENT ON FUNCTION lead_protection.nearest_working_day(bigint, date, boolean) IS
'The day itself if it is a working day, or else the first one after it (later) or before it. Null where '
'is_working_day() is. Internal: next_working_day() and previous_working_day() call it.';
