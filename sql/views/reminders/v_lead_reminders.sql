CREATE OR REPLACE VIEW lead_protection.v_lead_reminders AS
SELECT
    r.lead_id,
    r.user_id,
    r.window_date,
    r.protection_expires_at,
    r.due_at,
    coalesce(r.fell_due_at, r.due_at) AS fell_due_at,
    r.sent_at,
    d.delivered_at,
    r.sent_at - coalesce(r.fell_due_at, r.due_at) AS latency,
    r.sent_at - coalesce(r.fell_due_at, r.due_at) <= INTERVAL '60 minutes' AS within_60_minutes,
    1 + d.retries AS attempts,
    CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' ELSE d.outcome END AS outcome,
    CASE WHEN d.delivered_at IS NULL THEN d.why END AS why,
    d.retry_at,
    r.reactivated_at,
    r.adopted,
    l.lead_key
FROM lead_protection.lead_reminders AS r
INNER JOIN lead_protection.leads AS l ON r.lead_id = l.id
LEFT JOIN LATERAL (
    SELECT
        min(x.occurred_at) FILTER (WHERE x.outcome = 'delivered') AS delivered_at,
        count(x.retried_at) AS retries,
        (array_agg(x.outcome ORDER BY x.occurred_at DESC, x.message_id ASC))[1] AS outcome,
        (array_agg(x.why ORDER BY x.occurred_at DESC, x.message_id ASC))[1] AS why,
        max(x.retry_at) AS retry_at
    FROM lead_protection.reminder_deliveries AS x
    WHERE x.lead_id = r.lead_id AND x.user_id = r.user_id AND x.window_date = r.window_date
) AS d ON true;

COMMENT ON VIEW lead_protection.v_lead_reminders IS
'The ledger of reminders with what became of each: due, sent, delivered. A row for each lead, user and window. '
'Instants are timestamptz, latency is elapsed time.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.user_id IS 'The protected user who was reminded.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.window_date IS
'The window: the expiry''s date in the policy''s time zone.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.protection_expires_at IS
'The expiry as it stood when the reminder was sent.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.due_at IS 'When the reminder was due by the rule.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.fell_due_at IS
'Since when it could have been sent: due_at, or later if only then a hold ended, the lead was recorded or a change '
'made it due.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.sent_at IS
'When it was first sent, that is, when its event was written.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.delivered_at IS
'When a message with it was first delivered; null: none is known to be.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.latency IS 'From fell_due_at to sent_at.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.within_60_minutes IS 'Whether latency is 60 minutes at most.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.attempts IS 'How many events asked for it.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.outcome IS
'delivered, or what was last reported: failed or skipped; null: nothing yet.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.why IS 'Why it failed or was skipped; null if it was delivered.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.retry_at IS
'From when the pipeline sends it again, if it still stands then; null: not.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.reactivated_at IS
'When the lead was seen protected again after it; null: it was not.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.adopted IS
'True: not sent by this system: imported, or overdue when the lead''s adoption was switched on. latency says nothing '
'then.';
COMMENT ON COLUMN lead_protection.v_lead_reminders.lead_key IS
'The lead''s key in the adopted table that it comes from; null: its number is the key, or it comes from none.';
