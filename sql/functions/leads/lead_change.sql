CREATE OR REPLACE FUNCTION lead_protection.lead_change(
    before lead_protection.v_user_lead_protection,
    after lead_protection.v_user_lead_protection,
    changed boolean,
    decided_at timestamptz
)
RETURNS lead_protection.lead_change_result
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    after.lead_id, after.user_id, changed, decided_at,
    before.state, before.on_hold, before.protection_expires_at, before.reminder_due_at,
    after.state, after.on_hold, after.protection_expires_at, after.reminder_due_at
)::lead_protection.lead_change_result;

COMMENT ON FUNCTION lead_protection.lead_change(
    lead_protection.v_user_lead_protection, lead_protection.v_user_lead_protection, boolean, timestamptz
) IS
'A lead before and after a call, as every function answers it that may change a clock. Internal.';
