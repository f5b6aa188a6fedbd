CREATE OR REPLACE VIEW lead_protection.v_reminder_sla AS
SELECT
    m.day,
    count(*) AS fell_due,
    count(*) FILTER (WHERE m.fate = 'sent' AND m.latency <= INTERVAL '60 minutes') AS sent_within,
    count(*) FILTER (WHERE m.fate = 'sent' AND m.latency > INTERVAL '60 minutes') AS sent_beyond,
    count(*) FILTER (WHERE m.fate = 'waiting') AS waiting,
    count(*) FILTER (WHERE m.fate = 'missed') AS missed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY m.latency) FILTER (WHERE m.fate = 'sent') AS median_latency,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY m.latency) FILTER (WHERE m.fate = 'sent') AS p95_latency,
    max(m.latency) FILTER (WHERE m.fate = 'sent') AS longest_latency
FROM (
    SELECT
        -- the expression of lead_reminders_fell_due_day
        (coalesce(r.fell_due_at, r.due_at) AT TIME ZONE 'UTC')::date AS day,
        'sent' AS fate,
        r.sent_at - coalesce(r.fell_due_at, r.due_at) AS latency
    FROM lead_protection.lead_reminders AS r
    -- Another system's are not our doing.
    WHERE NOT r.adopted
    UNION ALL
    SELECT
        (w.waits_since AT TIME ZONE 'UTC')::date,
        'waiting',
        NULL
    FROM lead_protection.waiting_reminders(now()) AS w
    UNION ALL
    SELECT
        (left(g.details ->> 'missed_reminder_due_at', 10))::date,
        'missed',
        NULL
    FROM lead_protection.protection_log AS g
    WHERE g.details ? 'missed_reminder_due_at'
) AS m
GROUP BY m.day;

COMMENT ON VIEW lead_protection.v_reminder_sla IS
'Reminders by the day, UTC, on which they could first have been sent: how many were sent within 60 minutes of that and '
'how many later, how many wait now, and how many were never sent because the lead expired, was closed or changed hands '
'first (those by the day on which they fell due by the rule). Ask for the days you want: WHERE day >= …. Reminders of '
'before an adoption are left out. Latencies are elapsed time from when a reminder could first have been sent.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.day IS 'The day, UTC.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.fell_due IS 'All of them.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.sent_within IS 'Sent within 60 minutes.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.sent_beyond IS 'Sent later than that.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.waiting IS 'Due and not sent yet, as of now.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.missed IS
'Never sent; protection_log has each, with missed_reminder_due_at in its details.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.median_latency IS 'Half of those sent took no longer.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.p95_latency IS '95 of 100 of those sent took no longer.';
COMMENT ON COLUMN lead_protection.v_reminder_sla.longest_latency IS 'The longest of those sent.';
