CREATE OR REPLACE FUNCTION lead_protection.lock_hold(hold_id bigint)
RETURNS lead_protection.lead_holds
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hold lead_protection.lead_holds;
BEGIN
    SELECT h.* INTO hold FROM lead_protection.lead_holds AS h WHERE h.id = lock_hold.hold_id;
    IF hold.id IS NULL THEN
        PERFORM lead_protection.require_leads_here(
            ARRAY(
                SELECT m.lead_id FROM lead_protection.lead_moves AS m
                WHERE m.hold_ids @> ARRAY[lock_hold.hold_id] AND NOT m.is_here
            )
        );
        RAISE EXCEPTION 'hold % is unknown', lock_hold.hold_id
            USING ERRCODE = 'LP033',
            DETAIL = 'There is no such row in lead_protection.lead_holds.',
            HINT = 'Check the hold''s number: v_hold_history lists the holds of a lead.';
    END IF;
    PERFORM lead_protection.lock_leads(ARRAY[hold.lead_id]);
    -- Once more: it may have changed, or moved with its lead, while this waited for the lock.
    SELECT h.* INTO hold FROM lead_protection.lead_holds AS h WHERE h.id = lock_hold.hold_id;
    IF NOT FOUND THEN
        RETURN lead_protection.lock_hold(lock_hold.hold_id);
    END IF;
    RETURN hold;
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_hold(bigint) IS
'Locks the lead of a hold, see lock_leads(), and returns the hold as it then is. Errors: LP033 unknown hold, '
'LP135 its lead has moved to another node. Internal.';
