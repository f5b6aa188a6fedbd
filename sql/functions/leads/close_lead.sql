CREATE OR REPLACE FUNCTION lead_protection.close_lead(
    lead_id bigint, user_id bigint, outcome text, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    closed_as text;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', close_lead.lead_id, 'outcome', close_lead.outcome,
            'actor_id', close_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(close_lead.reason);
    PERFORM lead_protection.require_outcome(close_lead.outcome);

    PERFORM lead_protection.lock_leads(ARRAY[close_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(close_lead.lead_id, decided_at, close_lead.user_id);
    PERFORM lead_protection.require_nobodys_lead(before, close_lead.user_id);
    SELECT l.closed_as INTO closed_as FROM lead_protection.leads AS l WHERE l.id = before.lead_id;
    IF closed_as = close_lead.outcome THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);

    RETURN lead_protection.close_leads_as(
        ARRAY[before], close_lead.outcome, 'lead.closed', decided_at, close_lead.actor_id, close_lead.reason,
        jsonb_build_object('outcome', close_lead.outcome)
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.close_lead(bigint, bigint, text, text, bigint) IS
'Closes a lead now, as outcome CONVERTED or LOST: no reminder and no expiry any more. Holds in force end.
Returns the lead before and after, with changed = true. Repeated with the same outcome: changed = false, and nothing '
'changes.
user_id null: the lead is nobody''s.
Errors: LP001 null argument other than user_id, LP002 unknown lead, LP003 another user''s lead, LP064 it is nobody''s, '
'LP004 reason blank or too long, LP009 closed with another outcome, LP027 unknown outcome.
Logs and publishes lead.closed, before it lead.hold.released for each hold it ended, and lead.protection.expired if '
'the protection had ended and that was not recorded yet, in the same transaction.';
