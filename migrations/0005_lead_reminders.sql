-- The ledger of reminders: one for each lead, user and window.
-- depends: 0003_leads

CREATE TABLE lead_protection.lead_reminders (
    lead_id bigint NOT NULL CONSTRAINT lead_reminders_lead_id_fkey REFERENCES lead_protection.leads (id),
    user_id bigint NOT NULL,
    window_date date NOT NULL,
    protection_expires_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    reactivated_at timestamptz,
    CONSTRAINT lead_reminders_one_per_window PRIMARY KEY (lead_id, user_id, window_date),
    CONSTRAINT lead_reminders_window_date_finite CHECK (isfinite(window_date)),
    CONSTRAINT lead_reminders_protection_expires_at_finite CHECK (isfinite(protection_expires_at)),
    CONSTRAINT lead_reminders_due_at_finite CHECK (isfinite(due_at)),
    CONSTRAINT lead_reminders_sent_at_finite CHECK (isfinite(sent_at)),
    CONSTRAINT lead_reminders_sent_when_due CHECK (sent_at >= due_at),
    CONSTRAINT lead_reminders_sent_before_expiry CHECK (sent_at < protection_expires_at),
    CONSTRAINT lead_reminders_reactivated_after_sent CHECK (reactivated_at >= sent_at)
);

COMMENT ON TABLE lead_protection.lead_reminders IS
'The ledger of reminders, written by send_due_reminders() together with the log row and the event. The primary key is the promise: one reminder per lead, user and window.';
COMMENT ON COLUMN lead_protection.lead_reminders.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_reminders.user_id IS 'The protected user who was reminded.';
COMMENT ON COLUMN lead_protection.lead_reminders.window_date IS 'The window: the expiry''s date in the policy''s time zone.';
COMMENT ON COLUMN lead_protection.lead_reminders.protection_expires_at IS 'The expiry as it stood when the reminder was sent.';
COMMENT ON COLUMN lead_protection.lead_reminders.due_at IS 'When the reminder fell due.';
COMMENT ON COLUMN lead_protection.lead_reminders.sent_at IS 'When it was sent, that is, when its event was written.';
COMMENT ON COLUMN lead_protection.lead_reminders.reactivated_at IS 'When the lead was seen protected again after this reminder, before the end it announced; null: it was not.';
