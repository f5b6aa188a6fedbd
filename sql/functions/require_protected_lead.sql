CREATE OR REPLACE FUNCTION lead_protection.require_protected_lead(lead_id bigint, user_id bigint)
RETURNS SETOF lead_protection.v_user_lead_protection
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1
AS $$
DECLARE
    protection lead_protection.v_user_lead_protection;
BEGIN
    PERFORM lead_protection.lock_leads(ARRAY[require_protected_lead.lead_id]);

    SELECT v.* INTO protection
    FROM lead_protection.v_user_lead_protection AS v
    WHERE v.lead_id = require_protected_lead.lead_id;

    IF NOT FOUND THEN
        RAISE EXCEPTION 'lead % is unknown', require_protected_lead.lead_id
            USING ERRCODE = 'LP002',
            DETAIL = 'There is no such row in lead_protection.leads.',
            HINT = 'Check the lead''s number.';
    END IF;
    IF protection.user_id <> require_protected_lead.user_id THEN
        RAISE EXCEPTION 'lead % is not protected for user %', require_protected_lead.lead_id, require_protected_lead.user_id
            USING ERRCODE = 'LP003',
            DETAIL = pg_catalog.format('It is protected for user %s.', protection.user_id),
            HINT = 'Check both numbers: the lead may have changed hands.';
    END IF;
    RETURN NEXT protection;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_protected_lead(bigint, bigint) IS
'Locks a lead and returns its row of v_user_lead_protection. Errors: LP002 unknown lead, LP003 another user''s lead. Internal: what a function calls before it changes a lead.';
