CREATE OR REPLACE FUNCTION lead_protection.create_calendar_version(
    OUT calendar_id bigint,
    INOUT code text,
    name text,
    days jsonb,
    rest_days integer[],
    actor_id bigint,
    based_on bigint DEFAULT NULL,
    OUT version integer,
    OUT created boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
    allowed text;
    base lead_protection.calendars;
    first_year integer;
    last_year integer;
    dates date [];
    names text [];
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'code', create_calendar_version.code, 'name', create_calendar_version.name,
            'days', create_calendar_version.days, 'actor_id', create_calendar_version.actor_id
        )
    );
    SELECT
        string_agg(format('%s: %s', t.term, t.given), '; ' ORDER BY t.term),
        string_agg(format('%s: %s', t.term, t.allowed), '; ' ORDER BY t.term)
    INTO wrong, allowed
    FROM (
        VALUES
        (
            'code', format('%L', create_calendar_version.code),
            create_calendar_version.code ~ '^[A-Z][A-Z0-9_-]{0,62}$'
            -- The package has these to itself, also for countries that it does not ship yet: whose version is the latest
            -- one must be clear.
            AND create_calendar_version.code !~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$',
            '1 to 63 capitals, digits, hyphens and underscores, such as ACME or DE-BY-AUGSBURG; not a code of ISO 3166, '
            'which are those of the package: base yours on one'
        ),
        (
            'name', format('%L', create_calendar_version.name),
            create_calendar_version.name ~ '[^[:space:]]' AND length(create_calendar_version.name) <= 255,
            '1 to 255 characters, not blank'
        ),
        (
            'rest_days', create_calendar_version.rest_days::text,
            create_calendar_version.rest_days IS NULL
            OR create_calendar_version.rest_days <@ '{1,2,3,4,5,6,7}'::integer []
            AND NOT create_calendar_version.rest_days @> '{1,2,3,4,5,6,7}',
            'weekdays, 1 is Monday and 7 is Sunday, but not all of them; or null for those of based_on, without it '
            'Saturday and Sunday'
        )
    ) AS t (term, given, makes_sense, allowed)
    WHERE NOT t.makes_sense;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'such a calendar makes no sense'
            USING ERRCODE = 'LP090',
            DETAIL = format('Given: %s.', wrong),
            HINT = format('Allowed: %s.', allowed);
    END IF;

    SELECT coalesce(array_agg(d.date), '{}'), coalesce(array_agg(d.name), '{}') INTO dates, names
    FROM lead_protection.calendar_days_given(create_calendar_version.days) AS d;

    IF create_calendar_version.based_on IS NOT NULL THEN
        PERFORM lead_protection.require_known_calendar(create_calendar_version.based_on);
        SELECT c.* INTO base FROM lead_protection.calendars AS c WHERE c.id = create_calendar_version.based_on;
    END IF;
    first_year := coalesce(base.first_year, extract(YEAR FROM dates [1])::integer, 1900);
    last_year := coalesce(base.last_year, extract(YEAR FROM dates [cardinality(dates)])::integer, 2999);

    SELECT string_agg(p.problem, '; ' ORDER BY p.date, p.problem) INTO wrong
    FROM (
        SELECT d.date, format('%s more than once', d.date) AS problem
        FROM unnest(dates) AS d (date)
        GROUP BY d.date
        HAVING count(*) > 1
        UNION ALL
        SELECT d.date, format('%s not in the years %s to %s of calendar %s', d.date, first_year, last_year, base.id)
        FROM unnest(dates) AS d (date)
        WHERE extract(YEAR FROM d.date) NOT BETWEEN first_year AND last_year
        UNION ALL
        -- Somebody thinks that the calendar has a holiday there: better to ask than to agree.
        SELECT d.date, format('%s without a name, and no day of the calendar that it is based on', d.date)
        FROM unnest(dates, names) AS d (date, name)
        WHERE
            d.name IS NULL
            AND NOT EXISTS (
                SELECT FROM lead_protection.calendar_days AS b
                WHERE b.calendar_id = create_calendar_version.based_on AND b.date = d.date
            )
    ) AS p;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these days make no calendar'
            USING ERRCODE = 'LP091',
            DETAIL = format('Given: %s.', wrong),
            HINT = 'Give each date once, within the years of the calendar that yours is based on, and a name of null only '
                'for a day of that calendar.';
    END IF;

    SELECT coalesce(array_agg(d.date ORDER BY d.date), '{}'), coalesce(array_agg(d.name ORDER BY d.date), '{}')
    INTO dates, names
    FROM (
        SELECT g.date, g.name
        FROM unnest(dates, names) AS g (date, name)
        WHERE g.name IS NOT NULL
        UNION ALL
        SELECT b.date, b.name
        FROM lead_protection.calendar_days AS b
        WHERE b.calendar_id = create_calendar_version.based_on AND b.date <> ALL(dates)
    ) AS d;

    SELECT p.calendar_id, p.code, p.version, p.created
    INTO
        create_calendar_version.calendar_id, create_calendar_version.code, create_calendar_version.version,
        create_calendar_version.created
    FROM lead_protection.put_calendar_version(
        create_calendar_version.code,
        create_calendar_version.name,
        ARRAY(
            SELECT DISTINCT r.weekday
            FROM unnest(coalesce(create_calendar_version.rest_days, base.rest_days, '{6,7}')) AS r (weekday)
            ORDER BY r.weekday
        ),
        first_year, last_year, dates, names, create_calendar_version.based_on, create_calendar_version.actor_id
    ) AS p;
END;
$$;

COMMENT ON FUNCTION lead_protection.create_calendar_version(text, text, jsonb, integer[], bigint, bigint) IS
'Makes a calendar of a company''s own, or the next version of the one of that code. It moves no clock. code: capitals, '
'digits, hyphens and underscores, not a code of ISO 3166; name: 1 to 255 characters; days: an array of objects with '
'date (year-month-day) and name; rest_days: the weekdays off, 1 is Monday, null for those of based_on, without it '
'Saturday and Sunday; based_on: the calendar whose days it takes over, as they are now. Then a day that is given '
'replaces the one of that date, a name of null makes it a working day, and the years are those of based_on. Without '
'based_on the years are those of the days, or 1900 to 2999 if there are none. Give all days of a version each time: '
'those of the version before are not taken over, unless it is given as based_on.
Returns one row: calendar_id, code, version, and created = true. Repeated, when the latest version of the code has the '
'same name, days, rest days, years and based_on: returns that one with created = false, and makes none.
Errors: LP001 null argument, LP090 code, name or rest_days make no sense, LP091 days are none, or not all of them, or '
'one is given twice, LP092 based_on is unknown.';
