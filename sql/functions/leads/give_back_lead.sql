CREATE OR REPLACE FUNCTION lead_protection.give_back_lead(lead_id bigint, user_id bigint, reason text, actor_id bigint)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', give_back_lead.lead_id, 'user_id', give_back_lead.user_id, 'actor_id', give_back_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(give_back_lead.reason);

    PERFORM lead_protection.lock_leads(ARRAY[give_back_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(give_back_lead.lead_id, decided_at);
    IF before.user_id IS NULL THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    before := lead_protection.require_lead(give_back_lead.lead_id, decided_at, give_back_lead.user_id);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);

    RETURN lead_protection.hand_over_leads(
        ARRAY[before], NULL, 'lead.protection.given_back', decided_at, give_back_lead.actor_id, give_back_lead.reason
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.give_back_lead(bigint, bigint, text, bigint) IS
'Ends the protection of user_id, running or expired, now: the lead is FREE, nobody''s, and has no clock until '
'transfer_lead() with user_id null gives it to a user, whoever that is. Holds in force and planned end.
Returns the lead before and after, with changed = true; user_id, expires_after and reminder_due_after are null. '
'Repeated, when the lead is nobody''s already: changed = false, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason blank or too long, LP009 '
'closed.
Logs and publishes lead.protection.given_back, before it lead.hold.released for each hold it ended, and '
'lead.protection.expired if the protection had ended and that was not recorded yet, in the same transaction.';
