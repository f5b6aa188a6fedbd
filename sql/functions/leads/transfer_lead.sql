CREATE OR REPLACE FUNCTION lead_protection.transfer_lead(
    lead_id bigint, user_id bigint, new_user_id bigint, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    without_holds lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', transfer_lead.lead_id, 'user_id', transfer_lead.user_id,
            'new_user_id', transfer_lead.new_user_id, 'actor_id', transfer_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(transfer_lead.reason);

    PERFORM lead_protection.lock_leads(ARRAY[transfer_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(transfer_lead.lead_id, decided_at);
    IF before.user_id = transfer_lead.new_user_id THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    before := lead_protection.require_lead(transfer_lead.lead_id, decided_at, transfer_lead.user_id);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);

    -- An expiry that no run of the pipeline has seen yet must not be lost.
    PERFORM lead_protection.record_expiries_of(ARRAY[before.lead_id], decided_at);
    -- The old protection is over, and with it all that was planned for it: none of it comes back with a transfer back.
    PERFORM lead_protection.end_holds(before, decided_at, transfer_lead.actor_id, with_planned => true);
    UPDATE lead_protection.lead_expiries AS x
    SET reactivated_at = greatest(decided_at, x.recorded_at)
    WHERE x.lead_id = before.lead_id AND x.user_id = before.user_id AND x.reactivated_at IS NULL;

    -- The log tells one change after the other, the answer tells all that this call did.
    without_holds := lead_protection.read_lead(before.lead_id, decided_at);
    UPDATE lead_protection.leads AS l
    SET
        user_id = transfer_lead.new_user_id,
        policy_id = coalesce(lead_protection.policy_of_user(transfer_lead.new_user_id), l.policy_id),
        created_at = decided_at,
        changed_at = decided_at
    WHERE l.id = before.lead_id;
    after := lead_protection.read_lead(before.lead_id, decided_at);

    PERFORM lead_protection.log_lead_change(
        'lead.protection.transferred', without_holds, after, decided_at, transfer_lead.actor_id, transfer_lead.reason,
        jsonb_build_object(
            'user_id_before', before.user_id, 'policy_id_before', before.policy_id, 'policy_id', after.policy_id
        )
    );
    RETURN lead_protection.lead_change(before, after, true, decided_at);
END;
$$;

COMMENT ON FUNCTION lead_protection.transfer_lead(bigint, bigint, bigint, text, bigint) IS
'Gives a lead, protected or free, from user_id to new_user_id: a new protection begins now, under the new user''s '
'policy. Holds, activities, extensions and reminders of the old protection count no more; lead_history and the ledgers '
'keep them.
Returns the lead before and after, with changed = true. Repeated, when the lead is new_user_id''s already: changed = '
'false, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason blank or too long, LP009 '
'closed.
Logs and publishes lead.protection.transferred, before it lead.hold.released for each hold it ended, and '
'lead.protection.expired if the protection had ended and that was not recorded yet, in the same transaction.';
