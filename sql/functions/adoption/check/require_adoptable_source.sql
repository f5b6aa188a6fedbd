CREATE OR REPLACE FUNCTION lead_protection.require_adoptable_source(kind text, source regclass, mapping jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner CONSTANT oid := (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'lead_protection');
    numbers CONSTANT text [] := ARRAY['bigint', 'integer', 'smallint'];
    names_users_by CONSTANT text := lead_protection.column_type(
        require_adoptable_source.source, require_adoptable_source.mapping ->> 'user_column'
    );
    problems text;
BEGIN
    IF
        CURRENT_USER::regrole <> owner
        AND (
            NOT pg_has_role(CURRENT_USER, owner, 'USAGE')
            OR (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = CURRENT_USER)
        )
    THEN
        RAISE EXCEPTION '% must not adopt a table', CURRENT_USER
            USING ERRCODE = 'LP068',
            DETAIL = 'What the company''s table makes run would run with the rights of a superuser, or of somebody '
            'else than whoever owns lead_protection.',
            HINT = format('SET ROLE %s, which owns schema lead_protection.', owner::regrole);
    END IF;
    PERFORM lead_protection.let_reader_read(s.source, true)
    FROM (
        VALUES
        (require_adoptable_source.source), (to_regclass(require_adoptable_source.mapping ->> 'owner_source'))
    ) AS s (source)
    WHERE s.source IS NOT NULL;
    SELECT string_agg(p.problem, E'\n') INTO problems
    FROM (
        SELECT concat(c.item, ': ', c.finding, '. ', c.advice)
        FROM lead_protection.check_source(
            require_adoptable_source.source, require_adoptable_source.kind, require_adoptable_source.mapping
        ) AS c
        WHERE c.severity = 'problem'
        UNION ALL
        SELECT format(
            'user_column %s: users are %s there, and %s in the adopted table %s: they could not be told apart.',
            require_adoptable_source.mapping ->> 'user_column',
            CASE WHEN names_users_by = ANY(numbers) THEN 'numbers' ELSE 'names' END,
            CASE WHEN a.user_type = ANY(numbers) THEN 'numbers' ELSE 'names' END, a.source
        )
        FROM lead_protection.adoptions AS a
        WHERE
            a.disowned_at IS NULL AND a.user_type IS NOT NULL AND a.source_oid <> require_adoptable_source.source
            AND (names_users_by = ANY(numbers)) <> (a.user_type = ANY(numbers))
    ) AS p (problem);
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
'Refuses a table of the company''s own in which check_source() finds a problem, or whose users are not named as in '
'the adopted tables, by numbers in all or by texts in all (LP045); and a caller who neither owns the schema nor is a '
'member of whoever does, or who is a superuser without owning it (LP068). kind, mapping: as there. Internal.';
