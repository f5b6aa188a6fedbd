-- A lead may be nobody's: no user, and so no clock. Nothing is rewritten or scanned: what every row has, no row breaks.
-- depends: 0017_lead_history 0018_clock_terms 0037_job_progress

-- What existing clients rely on stands until somebody makes a lead that is nobody's: see CHANGELOG.md.
-- squawk-ignore-file ban-drop-not-null, ban-drop-constraint

ALTER TABLE lead_protection.leads ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE lead_protection.lead_history ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE lead_protection.lead_clocks
ALTER COLUMN user_id DROP NOT NULL,
ALTER COLUMN base_expires_at DROP NOT NULL,
ALTER COLUMN protection_expires_at DROP NOT NULL,
ALTER COLUMN window_date DROP NOT NULL,
ALTER COLUMN reminder_due_at DROP NOT NULL,
ADD CONSTRAINT lead_clocks_all_or_nobody CHECK (
    num_nulls(user_id, base_expires_at, protection_expires_at, window_date, reminder_due_at) IN (0, 5)
) NOT VALID,
ADD CONSTRAINT lead_clocks_nobody_on_hold CHECK (user_id IS NOT NULL OR runs_from = started_at) NOT VALID;
ALTER TABLE lead_protection.protection_log
ALTER COLUMN user_id DROP NOT NULL,
DROP CONSTRAINT protection_log_state_before_known,
DROP CONSTRAINT protection_log_state_after_known,
ADD CONSTRAINT protection_log_state_before_known CHECK (
    state_before IN ('PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE')
) NOT VALID,
ADD CONSTRAINT protection_log_state_after_known CHECK (
    state_after IN ('PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE')
) NOT VALID;

COMMENT ON TABLE lead_protection.leads IS
'The leads, as they are now; lead_history has what they were before. Applications insert rows and change them with '
'transfer_lead(), give_back_lead(), backdate_lead(), close_lead(), reopen_lead() and delete_lead(). Triggers refuse bad '
'input and keep lead_clocks in step in the same transaction. A row is never deleted.';
COMMENT ON COLUMN lead_protection.leads.user_id IS
'The user for whom the lead is protected: who brought it in, or to whom it was transferred. Null: nobody; the lead is '
'free.';
COMMENT ON COLUMN lead_protection.leads.policy_id IS
'The terms; when left out at the insert, the user''s policy of that moment, or else the default. A free lead has them '
'and no clock: whoever gets it, gets the policy of their own.';
COMMENT ON COLUMN lead_protection.leads.created_at IS
'When the protection of user_id started: when the lead was brought in, or transferred; of a free lead: since when it '
'is free. Never in the future (LP010).';
COMMENT ON COLUMN lead_protection.lead_history.user_id IS 'The protected user until then; null: it was free.';
COMMENT ON COLUMN lead_protection.lead_history.created_at IS
'When that user''s protection had started, or since when it had been free.';
COMMENT ON COLUMN lead_protection.lead_clocks.user_id IS 'The protected user; null: the lead is free.';
COMMENT ON COLUMN lead_protection.lead_clocks.started_at IS 'When the protection began, or since when the lead is free.';
COMMENT ON COLUMN lead_protection.lead_clocks.base_expires_at IS
'Start plus the policy''s months and days, before any stop; null: the lead is free, as in the next three.';
COMMENT ON COLUMN lead_protection.protection_log.user_id IS 'The protected user; null: the lead is free.';
COMMENT ON COLUMN lead_protection.bulk_hold_results.user_id IS
'Its protected user; null if the lead is unknown or free.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.why IS
'Why it failed, in the mailer''s words, or why it was skipped: DELIVERED, TRANSFERRED, CLOSED, EXPIRED, FREE, MOVED or '
'ON_HOLD.';
COMMENT ON TYPE lead_protection.lead_change_result IS
'A lead before and after a call, both as v_user_lead_protection shows it at decided_at. changed is true only if this '
'very call changed something; user_id is the protected user afterwards, null if the lead is free.';
