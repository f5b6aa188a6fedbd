CREATE OR REPLACE FUNCTION lead_protection.transfer_lead(
    lead_id bigint, user_id bigint, new_user_id bigint, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', transfer_lead.lead_id, 'new_user_id', transfer_lead.new_user_id,
            'actor_id', transfer_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(transfer_lead.reason);

    PERFORM lead_protection.lock_leads(ARRAY[transfer_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(transfer_lead.lead_id, decided_at);
    -- Whoever names nobody takes what nobody is protected for: a free lead, or an expired one, be it their own.
    IF before.user_id = transfer_lead.new_user_id AND (before.state <> 'EXPIRED' OR transfer_lead.user_id IS NOT NULL)
    THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    before := lead_protection.require_lead(transfer_lead.lead_id, decided_at, transfer_lead.user_id);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);
    IF before.state <> 'EXPIRED' THEN
        PERFORM lead_protection.require_nobodys_lead(before, transfer_lead.user_id);
    END IF;

    RETURN lead_protection.hand_over_leads(
        ARRAY[before], transfer_lead.new_user_id, 'lead.protection.transferred', decided_at, transfer_lead.actor_id,
        transfer_lead.reason
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.transfer_lead(bigint, bigint, bigint, text, bigint) IS
'Gives a lead from user_id, whose protection runs or has expired, to new_user_id: a new protection begins now, under '
'the new user''s policy. user_id null: from nobody, that is a lead that is FREE, or one that is EXPIRED, whoever had '
'it; new_user_id may then be the user who had it last. Holds, activities, extensions and reminders of the old '
'protection count no more; lead_history and the ledgers keep them.
Returns the lead before and after, with changed = true. Repeated, when the lead is new_user_id''s already: changed = '
'false, and nothing changes.
Errors: LP001 null argument other than user_id, LP002 unknown lead, LP003 another user''s lead, or user_id null for a '
'lead whose protection runs, LP004 reason blank or too long, LP009 closed, LP064 user_id given for a lead that is '
'free.
Logs and publishes lead.protection.transferred, before it lead.hold.released for each hold it ended, and '
'lead.protection.expired if the protection had ended and that was not recorded yet, in the same transaction.';
