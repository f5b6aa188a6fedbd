CREATE OR REPLACE FUNCTION lead_protection.missed_reminder_due_at(
    before lead_protection.v_user_lead_protection, after lead_protection.v_user_lead_protection
)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN
        missed_reminder_due_at.before.state = 'REMINDER_DUE'
        -- One that is closed as of an earlier instant did not wait then. While on hold nothing is due: null by itself.
        AND (
            missed_reminder_due_at.after.user_id IS DISTINCT FROM missed_reminder_due_at.before.user_id
            OR (
                missed_reminder_due_at.after.state = 'CLOSED'
                AND missed_reminder_due_at.after.closed_at >= missed_reminder_due_at.before.reminder_due_at
            )
        )
        THEN lead_protection.instant_text(missed_reminder_due_at.before.reminder_due_at)
END;

COMMENT ON FUNCTION lead_protection.missed_reminder_due_at(
    lead_protection.v_user_lead_protection, lead_protection.v_user_lead_protection
) IS
'When the reminder was due that will now never be sent, because the lead is closed, another user''s or nobody''s '
'before it was; null: there is none. For a log row''s details; record_expiries_of() adds those of leads that expired. '
'Internal.';
