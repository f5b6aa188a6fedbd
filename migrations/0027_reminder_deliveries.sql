-- What became of a reminder after it was sent, and since when it could have been.
-- depends: 0005_lead_reminders 0008_protection_log

-- No default for the rows there are: when they were written is not known.
ALTER TABLE lead_protection.leads ADD COLUMN recorded_at timestamptz;
ALTER TABLE lead_protection.leads ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();

ALTER TABLE lead_protection.lead_reminders
ADD COLUMN fell_due_at timestamptz,
ADD CONSTRAINT lead_reminders_fell_due_at_before_sent CHECK (fell_due_at BETWEEN due_at AND sent_at) NOT VALID;

CREATE INDEX lead_reminders_fell_due_day ON lead_protection.lead_reminders (
    ((coalesce(fell_due_at, due_at) AT TIME ZONE 'UTC')::date)
);

CREATE INDEX protection_log_missed_reminders ON lead_protection.protection_log (
    (details ->> 'missed_reminder_due_at')
) WHERE details ? 'missed_reminder_due_at';

CREATE TABLE lead_protection.reminder_deliveries (
    lead_id bigint NOT NULL,
    user_id bigint NOT NULL,
    window_date date NOT NULL,
    message_id text NOT NULL CONSTRAINT reminder_deliveries_message_id_sensible CHECK (
        message_id ~ '[^[:space:]]' AND length(message_id) <= 255
    ),
    outcome text NOT NULL CONSTRAINT reminder_deliveries_outcome_known CHECK (
        outcome IN ('delivered', 'failed', 'skipped')
    ),
    occurred_at timestamptz NOT NULL CONSTRAINT reminder_deliveries_occurred_at_finite CHECK (isfinite(occurred_at)),
    why text,
    retry_at timestamptz,
    retried_at timestamptz,
    CONSTRAINT reminder_deliveries_pkey PRIMARY KEY (lead_id, user_id, window_date, message_id),
    CONSTRAINT reminder_deliveries_reminder_fkey FOREIGN KEY (lead_id, user_id, window_date)
    REFERENCES lead_protection.lead_reminders (lead_id, user_id, window_date),
    CONSTRAINT reminder_deliveries_delivered_needs_no_retry CHECK (outcome <> 'delivered' OR retry_at IS NULL)
);

CREATE UNIQUE INDEX reminder_deliveries_one_retry
ON lead_protection.reminder_deliveries (lead_id, user_id, window_date) WHERE retry_at IS NOT NULL;

COMMENT ON TABLE lead_protection.reminder_deliveries IS
'What the mailer reported of each message that carried a reminder, by the message''s id. Apart from the ledger: whether a message arrived moves no clock. v_lead_reminders shows both.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.lead_id IS 'The reminder''s lead.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.user_id IS 'The reminder''s user.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.window_date IS 'The reminder''s window.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.message_id IS 'The message, such as the Message-ID of a mail: a report repeated with it is the same report.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.outcome IS 'delivered; failed: it did not arrive; skipped: it was not sent, because the reminder made no sense any more.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.occurred_at IS 'When it was delivered, failed or skipped.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.why IS 'Why it failed, in the mailer''s words, or why it was skipped: DELIVERED, TRANSFERRED, CLOSED, EXPIRED, MOVED or ON_HOLD.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.retry_at IS 'From when the pipeline sends the reminder again, as a new event, if it still stands then; null: not, or done.';
COMMENT ON COLUMN lead_protection.reminder_deliveries.retried_at IS 'When the pipeline sent it again because of this report; null: not.';
COMMENT ON INDEX lead_protection.reminder_deliveries_one_retry IS 'One pending repetition per reminder, and the list of them.';
COMMENT ON COLUMN lead_protection.leads.recorded_at IS 'When the row was written; null: before this was recorded.';
COMMENT ON COLUMN lead_protection.lead_reminders.fell_due_at IS 'Since when it could have been sent: due_at, or later if only then a hold ended, the lead was recorded, or a change made the reminder due. Null: sent before this was recorded.';
COMMENT ON INDEX lead_protection.lead_reminders_fell_due_day IS 'v_reminder_sla by day.';
COMMENT ON INDEX lead_protection.protection_log_missed_reminders IS 'Reminders that were due and never sent, by when they were due.';

CREATE TYPE lead_protection.reminder_delivery_result AS (
    lead_id bigint,
    user_id bigint,
    window_date date,
    message_id text,
    deliver boolean,
    outcome text,
    why text,
    changed boolean,
    due_at timestamptz,
    sent_at timestamptz,
    delivered_at timestamptz,
    retry_at timestamptz
);

COMMENT ON TYPE lead_protection.reminder_delivery_result IS
'A reminder and one message that carries it. deliver: true if the message is to be sent now; outcome and why: what is reported of this message, null if nothing is; changed: true only if this very call recorded something; due_at, sent_at: of the ledger; delivered_at: when a message of this reminder was first delivered; retry_at: from when the pipeline sends it again.';
