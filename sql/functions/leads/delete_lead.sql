CREATE OR REPLACE FUNCTION lead_protection.delete_lead(lead_id bigint, user_id bigint, reason text, actor_id bigint)
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
            'lead_id', delete_lead.lead_id, 'actor_id', delete_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(delete_lead.reason);

    PERFORM lead_protection.lock_leads(ARRAY[delete_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(delete_lead.lead_id, decided_at, delete_lead.user_id);
    PERFORM lead_protection.require_nobodys_lead(before, delete_lead.user_id);
    SELECT l.closed_as INTO closed_as FROM lead_protection.leads AS l WHERE l.id = before.lead_id;
    IF closed_as = 'DELETED' THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;

    RETURN lead_protection.close_leads_as(
        ARRAY[before], 'DELETED', 'lead.deleted', decided_at, delete_lead.actor_id, delete_lead.reason,
        jsonb_build_object('outcome_before', closed_as)
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.delete_lead(bigint, bigint, text, bigint) IS
'Deletes a lead, open or closed, for good: it is CLOSED from now on, or from when it was closed, and cannot be '
'reopened. Its rows stay, because dates that money hangs on are proved from them.
Returns the lead before and after, with changed = true. Repeated: changed = false, and nothing changes.
user_id null: the lead is nobody''s.
Errors: LP001 null argument other than user_id, LP002 unknown lead, LP003 another user''s lead, LP064 it is nobody''s, '
'LP004 reason blank or too long.
Logs and publishes lead.deleted, before it lead.hold.released for each hold it ended, and lead.protection.expired if '
'the protection had ended and that was not recorded yet, in the same transaction.';
