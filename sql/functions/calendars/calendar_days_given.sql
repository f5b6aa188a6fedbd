CREATE OR REPLACE FUNCTION lead_protection.calendar_days_given(days jsonb)
RETURNS TABLE (date date, name text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
BEGIN
    IF jsonb_typeof(calendar_days_given.days) <> 'array' THEN
        wrong := left(calendar_days_given.days::text, 100);
    ELSE
        SELECT string_agg(left(d.given::text, 100), ', ' ORDER BY d.n) INTO wrong
        FROM jsonb_array_elements(calendar_days_given.days) WITH ORDINALITY AS d (given, n)
        WHERE
            -- In this order: what is no object has no keys.
            CASE
                WHEN jsonb_typeof(d.given) <> 'object' THEN true
                WHEN d.given - '{date,name}'::text [] <> '{}' OR NOT d.given ?& '{date,name}' THEN true
                WHEN jsonb_typeof(d.given -> 'date') <> 'string' THEN true
                WHEN d.given ->> 'date' !~ '^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}$' THEN true
                WHEN jsonb_typeof(d.given -> 'name') = 'null' THEN false
                ELSE
                    jsonb_typeof(d.given -> 'name') <> 'string' OR d.given ->> 'name' !~ '[^[:space:]]'
                    OR length(d.given ->> 'name') > 255
            END;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these are no days of a calendar'
            USING ERRCODE = 'LP091',
            DETAIL = format('Given: %s.', wrong),
            HINT = 'Give an array of objects such as {"date": "2026-12-24", "name": "Heiligabend"}: a date of the years '
                '1900 to 2999, and a name of 1 to 255 characters, or null for a working day after all.';
    END IF;

    BEGIN
        RETURN QUERY
        SELECT (d.given ->> 'date')::date, d.given ->> 'name'
        FROM jsonb_array_elements(calendar_days_given.days) AS d (given)
        ORDER BY 1;
    EXCEPTION
        WHEN datetime_field_overflow OR invalid_datetime_format THEN
            RAISE EXCEPTION 'a day is not in the calendar of any year'
                USING ERRCODE = 'LP091',
                DETAIL = SQLERRM,
                HINT = 'Check the month and the day: a date is year, month, day, such as 2026-12-24.';
    END;
END;
$$;

COMMENT ON FUNCTION lead_protection.calendar_days_given(jsonb) IS
'Reads the days that create_calendar_version() is given, in the order of their dates; refuses what they cannot be '
'(LP091). Internal.';
