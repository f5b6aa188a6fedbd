-- Counts what the ledgers and the job history hold already, once: on the first load that made the triggers which count
-- from then on. The load holds the ledgers' locks since it made them: nobody has written since, nothing counts twice.
DO $first$
BEGIN
    IF EXISTS (SELECT FROM lead_protection.metric_counters) THEN
        RETURN;
    END IF;

    DELETE FROM lead_protection.metric_counts;
    INSERT INTO lead_protection.metric_counters (metric, labels, value)
    SELECT 'lead_reminder_sent_total', '{}'::jsonb, count(*)
    FROM lead_protection.lead_reminders AS r
    WHERE NOT r.adopted
    UNION ALL
    SELECT 'lead_protection_expired_total', '{}', count(*)
    FROM lead_protection.lead_expiries AS x
    WHERE NOT x.adopted
    UNION ALL
    SELECT 'lead_protection_reactivated_total', '{}', count(*)
    FROM lead_protection.protection_log AS g
    WHERE g.event_type = 'lead.protection.reactivated'
    UNION ALL
    SELECT 'lead_reminder_due_total', '{}', 0
    UNION ALL
    SELECT 'lead_reminder_missed_total', '{}', 0
    UNION ALL
    SELECT 'lead_reminder_deliveries_total', jsonb_build_object('outcome', o.outcome), count(d.outcome)
    FROM unnest(ARRAY['delivered', 'failed', 'skipped']) AS o (outcome)
    LEFT JOIN lead_protection.reminder_deliveries AS d ON o.outcome = d.outcome
    GROUP BY o.outcome
    UNION ALL
    SELECT
        'lead_job_failures_total',
        jsonb_build_object('job', j.job_name),
        count(*) FILTER (WHERE r.outcome IN ('failed', 'abandoned'))
    FROM (
        SELECT d.job_name FROM lead_protection.job_definitions AS d WHERE NOT d.in_cron_database
        UNION ALL
        VALUES ('lead-protection-metrics')
    ) AS j
    LEFT JOIN lead_protection.job_runs AS r ON j.job_name = r.job_name
    GROUP BY j.job_name;

    PERFORM lead_protection.observe_seconds(
        'lead_reminder_latency_seconds',
        (
            SELECT array_agg(r.sent_at - coalesce(r.fell_due_at, r.due_at))
            FROM lead_protection.lead_reminders AS r
            WHERE NOT r.adopted
        )
    );
    PERFORM lead_protection.observe_seconds(
        'lead_reminder_processing_seconds',
        (
            SELECT array_agg(r.finished_at - r.started_at)
            FROM lead_protection.job_runs AS r
            WHERE r.job_name = 'lead-protection-reminders' AND r.outcome IN ('succeeded', 'failed')
        )
    );
END
$first$;

-- Counted since there are early warnings: before, none was sent.
INSERT INTO lead_protection.metric_counters (metric, labels, value)
VALUES ('lead_warning_sent_total', '{}', 0)
ON CONFLICT ON CONSTRAINT metric_counters_pkey DO NOTHING;
