CREATE OR REPLACE VIEW lead_protection.v_kpi_reminders AS
SELECT
    r.user_id,
    count(*) FILTER (WHERE NOT r.sent) AS waiting,
    min(r.since) FILTER (WHERE NOT r.sent) AS oldest_due_at,
    count(*) FILTER (WHERE r.sent) AS sent,
    count(*) FILTER (WHERE r.within_60_minutes) AS sent_within,
    count(r.delivered_at) AS delivered
FROM (
    SELECT
        s.user_id,
        true AS sent,
        s.fell_due_at AS since,
        s.within_60_minutes,
        s.delivered_at
    FROM lead_protection.v_lead_reminders AS s
    -- the expression of lead_reminders_fell_due_day
    WHERE NOT s.adopted AND (s.fell_due_at AT TIME ZONE 'UTC')::date > (now() AT TIME ZONE 'UTC')::date - 7
    UNION ALL
    SELECT
        w.user_id,
        false,
        w.waits_since,
        NULL,
        NULL
    FROM lead_protection.waiting_reminders(now()) AS w
) AS r
GROUP BY r.user_id;

COMMENT ON VIEW lead_protection.v_kpi_reminders IS
'The reminders of each user: those that wait now, and of those that fell due today or on the six days before, UTC, how '
'many were sent and delivered. For whole days and all users see v_reminder_sla.';
COMMENT ON COLUMN lead_protection.v_kpi_reminders.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_kpi_reminders.waiting IS 'Due and not sent yet, those on hold left out.';
COMMENT ON COLUMN lead_protection.v_kpi_reminders.oldest_due_at IS
'Since when the first of these could have been sent; null: none waits.';
COMMENT ON COLUMN lead_protection.v_kpi_reminders.sent IS 'Sent, of those that fell due within the week.';
COMMENT ON COLUMN lead_protection.v_kpi_reminders.sent_within IS 'Of these, within 60 minutes of falling due.';
COMMENT ON COLUMN lead_protection.v_kpi_reminders.delivered IS 'Of those sent, a message was reported delivered.';
