CREATE OR REPLACE FUNCTION lead_protection.reopen_lead(lead_id bigint, user_id bigint, reason text, actor_id bigint)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    closed_as text;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', reopen_lead.lead_id, 'actor_id', reopen_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(reopen_lead.reason);

    PERFORM lead_protection.lock_leads(ARRAY[reopen_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(reopen_lead.lead_id, decided_at, reopen_lead.user_id);
    PERFORM lead_protection.require_nobodys_lead(before, reopen_lead.user_id);
    IF before.state <> 'CLOSED' THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    SELECT l.closed_as INTO closed_as FROM lead_protection.leads AS l WHERE l.id = before.lead_id;
    IF closed_as = 'DELETED' THEN
        RAISE EXCEPTION 'lead % is deleted', before.lead_id
            USING ERRCODE = 'LP028',
            DETAIL = format('It was deleted or closed at %s.', lead_protection.instant_text(before.closed_at)),
            HINT = 'A deletion is for good. Insert the lead anew.';
    END IF;

    -- A lead that was closed as a row may still have an open hold, which ended with the closing.
    PERFORM lead_protection.end_holds(before, decided_at, reopen_lead.actor_id, with_planned => false);
    UPDATE lead_protection.leads AS l
    SET closed_at = NULL, closed_as = NULL, changed_at = decided_at
    WHERE l.id = before.lead_id;
    after := lead_protection.read_lead(before.lead_id, decided_at);

    RETURN lead_protection.log_lead_change(
        'lead.reopened', before, after, decided_at, reopen_lead.actor_id, reopen_lead.reason,
        jsonb_build_object('outcome', closed_as, 'closed_at', lead_protection.instant_text(before.closed_at))
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.reopen_lead(bigint, bigint, text, bigint) IS
'Opens a closed lead again. Its protection runs on as if it had never been closed: the time in between counts, so it '
'may have expired.
Returns the lead before and after, with changed = true. Repeated, or when the lead is open: changed = false, and '
'nothing changes.
user_id null: the lead is nobody''s.
Errors: LP001 null argument other than user_id, LP002 unknown lead, LP003 another user''s lead, LP064 it is nobody''s, '
'LP004 reason blank or too long, LP028 deleted.
Logs and publishes lead.reopened in the same transaction.';
