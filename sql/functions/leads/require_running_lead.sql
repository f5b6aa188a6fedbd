CREATE OR REPLACE FUNCTION lead_protection.require_running_lead(protection lead_protection.v_user_lead_protection)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_open_lead(require_running_lead.protection);
    IF require_running_lead.protection.state = 'EXPIRED' THEN
        RAISE EXCEPTION 'the protection of lead % has expired', require_running_lead.protection.lead_id
            USING ERRCODE = 'LP008',
            DETAIL = pg_catalog.format(
                'It expired at %s.',
                lead_protection.instant_text(require_running_lead.protection.protection_expires_at)
            ),
            HINT = 'Neither a hold nor an extension revives a lead that is free. '
                'transfer_lead() begins a new protection.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_running_lead(lead_protection.v_user_lead_protection) IS
'Refuses a lead that is closed (LP009) or whose protection has expired (LP008). Internal.';
