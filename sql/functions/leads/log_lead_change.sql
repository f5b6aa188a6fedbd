CREATE OR REPLACE FUNCTION lead_protection.log_lead_change(
    event_type text,
    before lead_protection.v_user_lead_protection,
    after lead_protection.v_user_lead_protection,
    decided_at timestamptz,
    actor_id bigint,
    reason text,
    details jsonb
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO lead_protection.protection_log (
        lead_id, user_id, event_type, occurred_at, actor_id, reason,
        state_before, expires_before, state_after, expires_after, details
    )
    VALUES (
        log_lead_change.after.lead_id, log_lead_change.after.user_id, log_lead_change.event_type,
        log_lead_change.decided_at, log_lead_change.actor_id, log_lead_change.reason,
        log_lead_change.before.state, log_lead_change.before.protection_expires_at,
        log_lead_change.after.state, log_lead_change.after.protection_expires_at,
        jsonb_strip_nulls(
            log_lead_change.details || jsonb_build_object(
                'missed_reminder_due_at',
                lead_protection.missed_reminder_due_at(log_lead_change.before, log_lead_change.after)
            )
        )
    );
    RETURN lead_protection.lead_change(
        log_lead_change.before, log_lead_change.after, true, log_lead_change.decided_at
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.log_lead_change(
    text, lead_protection.v_user_lead_protection, lead_protection.v_user_lead_protection, timestamptz, bigint, text,
    jsonb
) IS
'Logs, and by the log''s trigger publishes, what a call did to a lead, and returns the call''s answer. details: the '
'facts that it rests on. Internal.';
