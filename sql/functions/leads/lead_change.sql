CREATE OR REPLACE FUNCTION lead_protection.lead_change(
    before lead_protection.v_user_lead_protection,
    after lead_protection.v_user_lead_protection,
    changed boolean,
    decided_at timestamptz
)
RETURNS lead_protection.lead_change_result
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    lead_change.after.lead_id, lead_change.after.user_id, lead_change.changed, lead_change.decided_at,
    lead_change.before.state, lead_change.before.on_hold,
    lead_change.before.protection_expires_at, lead_change.before.reminder_due_at,
    lead_change.after.state, lead_change.after.on_hold,
    lead_change.after.protection_expires_at, lead_change.after.reminder_due_at
)::lead_protection.lead_change_result;

COMMENT ON FUNCTION lead_protection.lead_change(
    lead_protection.v_user_lead_protection, lead_protection.v_user_lead_protection, boolean, timestamptz
) IS
'A lead before and after a call, as every function answers it that may change a clock. Internal.';
