CREATE OR REPLACE FUNCTION lead_protection.require_adoptable_source(kind text, source regclass, mapping jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problems CONSTANT text := (
        SELECT string_agg(p.problem, E'\n')
        FROM (
            SELECT concat(c.item, ': ', c.finding, '. ', c.advice)
            FROM lead_protection.check_source(
                require_adoptable_source.source, require_adoptable_source.kind, require_adoptable_source.mapping
            ) AS c
            WHERE c.severity = 'problem'
            UNION ALL
            SELECT format(
                'user_column %s: users are %s there, and %s in the adopted table of leads %s: '
                'they could not be told apart.',
                require_adoptable_source.mapping ->> 'user_column',
                CASE WHEN u.key_expression IS NULL THEN 'numbers' ELSE 'names' END,
                CASE WHEN a.user_expression IS NULL THEN 'numbers' ELSE 'names' END, a.source
            )
            FROM lead_protection.user_expressions(
                require_adoptable_source.source, require_adoptable_source.mapping ->> 'user_column'
            ) AS u
            INNER JOIN lead_protection.adoptions AS a ON (u.key_expression IS NULL) <> (a.user_expression IS NULL)
            WHERE require_adoptable_source.kind <> 'leads' AND a.kind = 'leads' AND a.disowned_at IS NULL
        ) AS p (problem)
    );
BEGIN
    IF problems IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be taken as it is', require_adoptable_source.source
            USING ERRCODE = 'LP045',
            DETAIL = problems,
            HINT = 'Mend these or give other arguments. Nothing was changed. lead_protection.check_source() tells the '
            'same at any time.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_adoptable_source(text, regclass, jsonb) IS
'Refuses a table of the company''s own in which check_source() finds a problem, or whose users are not named as in the '
'adopted table of leads, by numbers in both or by texts in both (LP045). kind, mapping: as there. Internal.';
