CREATE OR REPLACE FUNCTION lead_protection.require_protected_lead(lead_id bigint, user_id bigint, as_of timestamptz)
RETURNS lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    protection lead_protection.v_user_lead_protection;
BEGIN
    protection := lead_protection.require_known_lead(require_protected_lead.lead_id, require_protected_lead.as_of);
    IF protection.user_id <> require_protected_lead.user_id THEN
        RAISE EXCEPTION 'lead % is not protected for user %', require_protected_lead.lead_id, require_protected_lead.user_id
            USING ERRCODE = 'LP003',
            DETAIL = pg_catalog.format('It is protected for user %s.', protection.user_id),
            HINT = 'Check both numbers: the lead may have changed hands.';
    END IF;
    RETURN protection;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_protected_lead(bigint, bigint, timestamptz) IS
'Returns the lead''s row of v_user_lead_protection at as_of, now or later. Errors: LP002 unknown lead, LP003 another '
'user''s lead. Internal: what a function calls, after lock_leads(), before it changes a lead.';
