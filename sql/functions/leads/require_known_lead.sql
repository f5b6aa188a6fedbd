CREATE OR REPLACE FUNCTION lead_protection.require_known_lead(lead_id bigint, as_of timestamptz)
RETURNS lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    protection lead_protection.v_user_lead_protection;
BEGIN
    protection := lead_protection.show_lead(require_known_lead.lead_id, require_known_lead.as_of);
    IF protection.lead_id IS NULL THEN
        RAISE EXCEPTION 'lead % is unknown', require_known_lead.lead_id
            USING ERRCODE = 'LP002',
            DETAIL = 'There is no such row in lead_protection.leads.',
            HINT = 'Check the lead''s number.';
    END IF;
    RETURN protection;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_known_lead(bigint, timestamptz) IS
'Returns the lead''s row of v_user_lead_protection at as_of, now or later. Errors: LP002 unknown lead. Internal: what '
'a function calls, after lock_leads(), before it changes a lead.';
