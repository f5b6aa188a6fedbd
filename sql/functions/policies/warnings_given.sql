CREATE OR REPLACE FUNCTION lead_protection.warnings_given(
    warnings jsonb, rule text, base_months integer, extension_days integer, grace_days integer
)
RETURNS TABLE (step integer, days_before integer, audience text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
    -- The months from the first of each month on: none is shorter, whatever day they begin.
    shortest_base CONSTANT integer := (
        SELECT min((m.first + make_interval(months => warnings_given.base_months))::date - m.first)
        FROM (SELECT (DATE '2001-01-01' + make_interval(months => n))::date AS first FROM generate_series(0, 11) AS n)
        AS m
    );
    shortest CONSTANT integer := CASE
        WHEN warnings_given.rule = 'parallel'
            THEN least(shortest_base, warnings_given.extension_days + warnings_given.grace_days)
        ELSE shortest_base + warnings_given.extension_days + warnings_given.grace_days
    END;
BEGIN
    IF jsonb_typeof(warnings_given.warnings) <> 'array' THEN
        wrong := left(warnings_given.warnings::text, 100);
    ELSE
        SELECT string_agg(left(g.given::text, 100), ', ' ORDER BY g.n) INTO wrong
        FROM jsonb_array_elements(warnings_given.warnings) WITH ORDINALITY AS g (given, n)
        WHERE
            -- In this order: what is no object has no keys.
            CASE
                WHEN jsonb_typeof(g.given) <> 'object' THEN true
                WHEN g.given - '{days_before,audience}'::text [] <> '{}' THEN true
                WHEN NOT g.given ?& '{days_before,audience}' THEN true
                WHEN jsonb_typeof(g.given -> 'days_before') <> 'number' THEN true
                WHEN g.given ->> 'days_before' !~ '^[1-9][0-9]{0,6}$' THEN true
                WHEN jsonb_typeof(g.given -> 'audience') <> 'string' THEN true
                ELSE g.given ->> 'audience' !~ '^[a-z][a-z0-9_]{0,62}$'
            END;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these are no early warnings'
            USING ERRCODE = 'LP105',
            DETAIL = format('Given: %s.', wrong),
            HINT = 'Give an array of objects such as {"days_before": 17, "audience": "user"}: a whole number of days, '
                '1 or more, and a word of 1 to 63 small letters, digits and underscores that begins with a letter.';
    END IF;

    SELECT string_agg(format('%s days before for %s', d.days_before, d.audience), ', ') INTO wrong
    FROM (
        SELECT (g.given ->> 'days_before')::integer AS days_before, g.given ->> 'audience' AS audience
        FROM jsonb_array_elements(warnings_given.warnings) AS g (given)
        GROUP BY 1, 2
        HAVING count(*) > 1
        ORDER BY 1 DESC, 2
    ) AS d;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'a warning is given more than once'
            USING ERRCODE = 'LP106',
            DETAIL = format('Given twice or more: %s.', wrong),
            HINT = 'Give each number of days once for an audience.';
    END IF;

    SELECT string_agg(format('%s for %s', g.given ->> 'days_before', g.given ->> 'audience'), ', ' ORDER BY g.n)
    INTO wrong
    FROM jsonb_array_elements(warnings_given.warnings) WITH ORDINALITY AS g (given, n)
    WHERE (g.given ->> 'days_before')::integer >= shortest;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'a warning would fall due before the protection begins'
            USING ERRCODE = 'LP107',
            DETAIL = format('A protection of this policy may last no more than %s days. Given: %s.', shortest, wrong),
            HINT = format('Give fewer days before the expiry: %s at most.', shortest - 1);
    END IF;

    RETURN QUERY
    SELECT
        row_number() OVER (ORDER BY w.days_before DESC, w.audience COLLATE "C")::integer,
        w.days_before,
        w.audience
    FROM (
        SELECT (g.given ->> 'days_before')::integer AS days_before, g.given ->> 'audience' AS audience
        FROM jsonb_array_elements(warnings_given.warnings) AS g (given)
    ) AS w
    ORDER BY 1;
END;
$$;

COMMENT ON FUNCTION lead_protection.warnings_given(jsonb, text, integer, integer, integer) IS
'Reads the early warnings that create_policy_version() is given, the earliest first, and numbers them. Refuses what is '
'none (LP105), one that is given twice (LP106), and one as many days before the expiry as the shortest protection by '
'these terms lasts, or more (LP107). Null: none. Internal.';
