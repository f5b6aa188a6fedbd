CREATE OR REPLACE VIEW lead_protection.v_user_lead_protection AS
SELECT
    p.lead_id,
    p.user_id,
    p.created_at,
    p.protection_expires_at,
    p.state,
    p.on_hold,
    p.reminder_due_at,
    p.reminded_at,
    p.closed_at,
    p.policy_id,
    p.lead_key,
    p.time_left
FROM lead_protection.user_lead_protection(now()) AS p;

COMMENT ON VIEW lead_protection.v_user_lead_protection IS
'Every lead and its protection now: the main view. Instants are timestamptz; the dates come from the policy''s '
'calendar and never from the session''s TimeZone.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.user_id IS 'The protected user; null: the lead is free.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.created_at IS
'When the protection began, or since when the lead is free.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.protection_expires_at IS
'When the protection ends; while on hold: as if the hold ended now; null: the lead is free.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.state IS
'PROTECTED, REMINDER_DUE, GRACE, EXPIRED or CLOSED; while on hold: frozen where the clock stopped. FREE: nobody''s.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.on_hold IS
'True while the clock stands still: nothing falls due, nothing expires.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.reminder_due_at IS
'When the reminder falls, or fell, due; null while on hold, once closed, and if the lead is free.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.reminded_at IS
'When the user was last reminded of this lead; null: never.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.closed_at IS 'When the lead was closed; null: it is open.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.policy_id IS 'The terms, in protection_policies.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.lead_key IS
'The lead''s key in the adopted table that it comes from; null: its number is the key, or it comes from none.';
COMMENT ON COLUMN lead_protection.v_user_lead_protection.time_left IS
'For how long the protection has still to run: an interval in which a day has 24 hours. Constant while on hold; holds '
'that are planned do not count. Zero once expired; null once closed, and if the lead is free.';
