CREATE OR REPLACE FUNCTION lead_protection.require_lead(
    lead_id bigint, as_of timestamptz, user_id bigint DEFAULT NULL
)
RETURNS lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    protection lead_protection.v_user_lead_protection;
BEGIN
    protection := lead_protection.read_lead(require_lead.lead_id, require_lead.as_of);
    IF protection.lead_id IS NULL THEN
        PERFORM lead_protection.require_leads_here(ARRAY[require_lead.lead_id]);
        RAISE EXCEPTION 'lead % is unknown', require_lead.lead_id
            USING ERRCODE = 'LP002',
            DETAIL = 'There is no such row in lead_protection.leads.',
            HINT = 'Check the lead''s number.';
    END IF;
    IF protection.user_id IS NULL AND require_lead.user_id IS NOT NULL THEN
        RAISE EXCEPTION 'lead % is nobody''s', require_lead.lead_id
            USING ERRCODE = 'LP064',
            DETAIL = format(
                'It has been free since %s; given: user %s.', lead_protection.instant_text(protection.created_at),
                require_lead.user_id
            ),
            HINT = 'transfer_lead() with user_id => NULL gives it to a user, for whom a new protection begins. '
                'close_lead(), reopen_lead() and delete_lead() take user_id => NULL for it.';
    END IF;
    IF protection.user_id <> require_lead.user_id THEN
        RAISE EXCEPTION 'lead % is not protected for user %', require_lead.lead_id, require_lead.user_id
            USING ERRCODE = 'LP003',
            DETAIL = format('It is protected for user %s.', protection.user_id),
            HINT = 'Check both numbers: the lead may have changed hands.';
    END IF;
    RETURN protection;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_lead(bigint, timestamptz, bigint) IS
'Returns the lead''s row of v_user_lead_protection at as_of, now or later. user_id: for whom it must be protected; '
'null (default): for anybody. Errors: LP002 unknown lead, LP003 another user''s lead, LP064 nobody''s lead, LP135 it '
'has moved to another node. Internal: what a function calls, after lock_leads(), before it changes a lead.';
