CREATE OR REPLACE FUNCTION lead_protection.backdate_lead(
    lead_id bigint, user_id bigint, start_at timestamptz, reason text, evidence text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    others_until timestamptz;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', backdate_lead.lead_id, 'user_id', backdate_lead.user_id, 'start_at', backdate_lead.start_at,
            'actor_id', backdate_lead.actor_id
        )
    );
    PERFORM lead_protection.require_reason(backdate_lead.reason);
    PERFORM lead_protection.require_reason(backdate_lead.evidence, 'evidence');
    PERFORM lead_protection.require_instant(backdate_lead.start_at, 'start_at', may_be_ahead => false);

    PERFORM lead_protection.lock_leads(ARRAY[backdate_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(backdate_lead.lead_id, decided_at, backdate_lead.user_id);
    IF before.created_at = backdate_lead.start_at THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);
    IF backdate_lead.start_at > before.created_at THEN
        RAISE EXCEPTION 'the protection of lead % starts before that already', before.lead_id
            USING ERRCODE = 'LP025',
            DETAIL = format(
                'It started at %s; given: %s.', lead_protection.instant_text(before.created_at),
                lead_protection.instant_text(backdate_lead.start_at)
            ),
            HINT = 'A start is only ever moved back. To give a user more time, use extend_lead().';
    END IF;
    -- Another user's, nobody's, or an earlier protection of the same user: what counts is told apart by its start.
    SELECT max(h.valid_until) INTO others_until
    FROM lead_protection.lead_history AS h
    WHERE
        h.lead_id = before.lead_id
        AND (h.user_id, h.created_at) IS DISTINCT FROM (before.user_id, before.created_at);
    IF backdate_lead.start_at < others_until THEN
        RAISE EXCEPTION 'the present protection of lead % cannot have started then', before.lead_id
            USING ERRCODE = 'LP026',
            DETAIL = format(
                'Until %s the lead was another user''s, nobody''s, or protected by an earlier protection; given: %s.',
                lead_protection.instant_text(others_until),
                lead_protection.instant_text(backdate_lead.start_at)
            ),
            HINT = 'A lead is protected for one user at a time. lead_history shows for whom it was.';
    END IF;

    UPDATE lead_protection.leads AS l
    SET created_at = backdate_lead.start_at, changed_at = decided_at
    WHERE l.id = before.lead_id;
    after := lead_protection.read_lead(before.lead_id, decided_at);

    RETURN lead_protection.log_lead_change(
        'lead.protection.backdated', before, after, decided_at, backdate_lead.actor_id, backdate_lead.reason,
        jsonb_build_object(
            'started_at_before', lead_protection.instant_text(before.created_at),
            'started_at', lead_protection.instant_text(after.created_at),
            'evidence', backdate_lead.evidence
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.backdate_lead(bigint, bigint, timestamptz, text, text, bigint) IS
'Moves the start of a protection back to start_at, which is a correction of the facts: the protection counts as having '
'started then, and so its expiry comes earlier. evidence: where the proof is found, 1 to 255 characters; kept in the '
'log and not published.
Returns the lead before and after, with changed = true. Repeated: changed = false, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason or evidence blank or too '
'long, LP005 start outside the years 1900 to 2999, LP009 closed, LP010 start more than 5 minutes in the future, LP025 '
'start after the present one, LP026 start while the lead was another user''s, nobody''s, or protected by an earlier '
'protection, LP064 free.
Logs and publishes lead.protection.backdated in the same transaction.';
