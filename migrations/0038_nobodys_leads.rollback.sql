-- Refused while a lead is nobody's, or was: an older version has no place for it.
ALTER TABLE lead_protection.protection_log
DROP CONSTRAINT protection_log_state_before_known,
DROP CONSTRAINT protection_log_state_after_known,
ADD CONSTRAINT protection_log_state_before_known CHECK (
    state_before IN ('PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED')
),
ADD CONSTRAINT protection_log_state_after_known CHECK (
    state_after IN ('PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED')
),
ALTER COLUMN user_id SET NOT NULL;
ALTER TABLE lead_protection.lead_clocks
DROP CONSTRAINT lead_clocks_all_or_nobody,
DROP CONSTRAINT lead_clocks_nobody_on_hold,
ALTER COLUMN user_id SET NOT NULL,
ALTER COLUMN base_expires_at SET NOT NULL,
ALTER COLUMN protection_expires_at SET NOT NULL,
ALTER COLUMN window_date SET NOT NULL,
ALTER COLUMN reminder_due_at SET NOT NULL;
ALTER TABLE lead_protection.lead_history ALTER COLUMN user_id SET NOT NULL;
ALTER TABLE lead_protection.leads ALTER COLUMN user_id SET NOT NULL;

COMMENT ON TABLE lead_protection.leads IS
'The leads, as they are now; lead_history has what they were before. Applications insert rows and change them with '
'transfer_lead(), backdate_lead(), close_lead(), reopen_lead() and delete_lead(). Triggers refuse bad input and keep '
'lead_clocks in step in the same transaction. A row is never deleted.';
COMMENT ON COLUMN lead_protection.leads.user_id IS
'The user for whom the lead is protected: who brought it in, or to whom it was transferred.';
COMMENT ON COLUMN lead_protection.leads.policy_id IS
'The terms; when left out at the insert, the user''s policy of that moment, or else the default.';
COMMENT ON COLUMN lead_protection.leads.created_at IS
'When the protection of user_id started: when the lead was brought in, or transferred. Never in the future (LP010).';
COMMENT ON COLUMN lead_protection.lead_history.user_id IS 'The protected user until then.';
COMMENT ON COLUMN lead_protection.lead_history.created_at IS 'When that user''s protection had started.';
COMMENT ON COLUMN lead_protection.lead_clocks.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.lead_clocks.started_at IS 'When the protection began.';
COMMENT ON COLUMN lead_protection.lead_clocks.base_expires_at IS
'Start plus the policy''s months and days, before any stop.';
COMMENT ON COLUMN lead_protection.protection_log.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.user_id IS 'Its protected user; null if the lead is unknown.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.why IS
'Why it failed, in the mailer''s words, or why it was skipped: DELIVERED, TRANSFERRED, CLOSED, EXPIRED, MOVED or '
'ON_HOLD.';
COMMENT ON TYPE lead_protection.lead_change_result IS
'A lead before and after a call, both as v_user_lead_protection shows it at decided_at. changed is true only if this very call changed something; user_id is the protected user afterwards.';
