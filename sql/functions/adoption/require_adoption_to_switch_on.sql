CREATE OR REPLACE FUNCTION lead_protection.require_adoption_to_switch_on()
RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unready CONSTANT text := (
        SELECT string_agg(a.source, ', ') FROM lead_protection.adoptions AS a
        WHERE a.kind = 'leads' AND a.disowned_at IS NULL AND a.backfilled_at IS NULL
    );
    adoption lead_protection.adoptions;
BEGIN
    SELECT a.* INTO adoption
    FROM lead_protection.adoptions AS a
    WHERE a.kind = 'leads' AND a.disowned_at IS NULL
    ORDER BY a.switched_on_at DESC NULLS FIRST
    LIMIT 1;
    IF adoption.id IS NULL OR unready IS NOT NULL THEN
        RAISE EXCEPTION 'there is no adopted table to switch on'
            USING ERRCODE = 'LP051',
            DETAIL = CASE
                WHEN adoption.id IS NULL THEN 'No table of leads is adopted.'
                ELSE format('Rows of %s were not all taken over yet.', unready)
            END,
            HINT = 'CALL lead_protection.adopt_leads(…), with the same arguments if it was interrupted.';
    END IF;
    IF adoption.switched_on_at IS NOT NULL THEN
        RAISE NOTICE '% was switched on at %', adoption.source, lead_protection.instant_text(adoption.switched_on_at);
    END IF;
    RETURN adoption.switched_on_at IS NOT NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_adoption_to_switch_on() IS
'True, with a NOTICE: all adopted tables of leads are switched on. False: there are some to be. Error: LP051 there is '
'none, or not all rows were taken over yet. Internal: switch_on_adoption() calls it.';
