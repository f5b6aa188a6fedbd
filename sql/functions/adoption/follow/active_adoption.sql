CREATE OR REPLACE FUNCTION lead_protection.active_adoption(adoption_id bigint)
RETURNS SETOF lead_protection.adoptions
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    adoption lead_protection.adoptions;
BEGIN
    SELECT a.* INTO adoption
    FROM lead_protection.adoptions AS a
    WHERE a.id = active_adoption.adoption_id AND a.disowned_at IS NULL;
    IF adoption.id IS NOT NULL THEN
        adoption.source := coalesce(
            (SELECT min(t.source) FROM lead_protection.adopted_tables() AS t WHERE t.adoption_id = adoption.id),
            adoption.source
        );
        RETURN NEXT adoption;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.active_adoption(bigint) IS
'An adoption with the name that its table, the one with our triggers, has now; no row if it was disowned. Internal.';
