CREATE OR REPLACE FUNCTION lead_protection.require_open_lead(
    protection lead_protection.v_user_lead_protection, may_be_expired boolean
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF require_open_lead.protection.state = 'CLOSED' THEN
        RAISE EXCEPTION 'lead % is closed', require_open_lead.protection.lead_id
            USING ERRCODE = 'LP009',
            DETAIL = format(
                'It was closed at %s.', lead_protection.instant_text(require_open_lead.protection.closed_at)
            ),
            HINT = 'A closed lead has no running clock. If it was closed by mistake, reopen_lead() comes first.';
    END IF;
    IF require_open_lead.protection.state = 'EXPIRED' AND NOT require_open_lead.may_be_expired THEN
        RAISE EXCEPTION 'the protection of lead % has expired', require_open_lead.protection.lead_id
            USING ERRCODE = 'LP008',
            DETAIL = format(
                'It expired at %s.',
                lead_protection.instant_text(require_open_lead.protection.protection_expires_at)
            ),
            HINT = 'Neither a hold nor an extension revives a protection. transfer_lead() begins a new protection.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_open_lead(lead_protection.v_user_lead_protection, boolean) IS
'Refuses a lead that is closed (LP009) or, unless it may be, one whose protection has expired (LP008). Internal.';
