CREATE OR REPLACE FUNCTION lead_protection.adoption_named(source text, kind text DEFAULT NULL)
RETURNS lead_protection.adoptions
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    adoption lead_protection.adoptions;
BEGIN
    SELECT v.* INTO adoption
    FROM lead_protection.adoptions AS a
    CROSS JOIN LATERAL lead_protection.active_adoption(a.id) AS v
    WHERE
        (adoption_named.kind IS NULL OR v.kind = adoption_named.kind)
        AND (
            adoption_named.source IS NULL
            OR v.name = adoption_named.source OR v.source = adoption_named.source
            OR to_regclass(v.source) = lead_protection.table_named(adoption_named.source)
        )
    ORDER BY v.name IS NOT DISTINCT FROM adoption_named.source DESC, v.kind <> 'leads', v.id
    LIMIT 1;
    IF
        adoption.id IS NULL
        OR adoption_named.source IS NULL AND 1 < (
            SELECT count(*) FROM lead_protection.adoptions AS a
            WHERE a.disowned_at IS NULL AND a.kind = adoption_named.kind
        )
    THEN
        RAISE EXCEPTION '% is not adopted', coalesce(adoption_named.source, 'which of several tables is not said, it')
            USING ERRCODE = 'LP051',
            DETAIL = format('Adopted are: %s.', coalesce(
                (
                    SELECT string_agg(format('%s as %s of %s', a.name, a.kind, a.source), ', ' ORDER BY a.name)
                    FROM lead_protection.adoptions AS a
                    WHERE a.disowned_at IS NULL
                ),
                'none'
            )),
            HINT = 'Give its name, or the table with its schema, as adoptions has them.';
    END IF;
    RETURN adoption;
END;
$$;

COMMENT ON FUNCTION lead_protection.adoption_named(text, text) IS
'The adoption of that name or table, and of that kind (null: any); source null: the only one. Error: LP051. Internal.';
