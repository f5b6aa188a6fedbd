CREATE OR REPLACE FUNCTION lead_protection.require_open_lead(protection lead_protection.v_user_lead_protection)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_open_lead.protection.state = 'CLOSED' THEN
        RAISE EXCEPTION 'lead % is closed', require_open_lead.protection.lead_id
            USING ERRCODE = 'LP009',
            DETAIL = pg_catalog.format(
                'It was closed at %s.', lead_protection.instant_text(require_open_lead.protection.closed_at)
            ),
            HINT = 'A closed lead has no running clock. If it was closed by mistake, reopen_lead() comes first.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_open_lead(lead_protection.v_user_lead_protection) IS
'Refuses a closed lead (LP009). Internal.';
