CREATE OR REPLACE FUNCTION lead_protection.adoptions_to_disown(source text)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    adoption_ids bigint [];
BEGIN
    -- By its name, or that of its table, of now or when it was adopted; one that is adopted before one that was.
    SELECT ARRAY[f.id] || ARRAY(SELECT o.id FROM lead_protection.adoptions AS o WHERE o.leads_id = f.id AND o.kind = 'owners')
    INTO adoption_ids
    FROM (
        SELECT
            a.id, a.disowned_at, a.kind, a.name = adoptions_to_disown.source AS by_name,
            (
                SELECT bool_or(t.relation = lead_protection.table_named(adoptions_to_disown.source))
                FROM lead_protection.adopted_tables() AS t WHERE t.adoption_id = a.id
            ) AS is_followed,
            a.source = adoptions_to_disown.source
            OR lead_protection.table_named(a.source) = lead_protection.table_named(adoptions_to_disown.source)
            AS by_table
        FROM lead_protection.adoptions AS a
    ) AS f
    WHERE f.by_name OR f.is_followed OR f.by_table
    ORDER BY f.disowned_at IS NOT NULL, f.by_name DESC, f.is_followed DESC NULLS LAST, f.kind <> 'leads', f.disowned_at DESC
    LIMIT 1;
    IF adoption_ids IS NULL THEN
        PERFORM lead_protection.adoption_named(coalesce(adoptions_to_disown.source, 'null'));
    END IF;
    RETURN adoption_ids;
END;
$$;

COMMENT ON FUNCTION lead_protection.adoptions_to_disown(text) IS
'The adoption that disown_source() is to let go, and that of the owners of its leads. Error: LP051 not adopted. '
'Internal.';
