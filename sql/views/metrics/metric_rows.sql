-- The one source of what Prometheus is told, whichever way. Each branch names its metric as a constant, so that a query
-- for one metric reads nothing for the others; the common table expressions are planned once.
CREATE OR REPLACE VIEW lead_protection.metric_rows AS
WITH counters AS (
    SELECT
        c.metric,
        c.labels,
        c.value
    FROM lead_protection.v_metric_counters AS c
    WHERE NOT c.labels ? 'le'
),

-- As Prometheus counts them: each bucket with those below it.
histograms AS (
    SELECT
        b.metric,
        b.le,
        coalesce(sum(c.value) FILTER (WHERE (c.labels ->> 'le')::numeric <= b.seconds), 0) AS observed,
        coalesce(sum(c.value) FILTER (WHERE c.metric = b.metric || '_sum'), 0) AS seconds_sum
    FROM lead_protection.metric_buckets AS b
    LEFT JOIN lead_protection.v_metric_counters AS c ON c.metric IN (b.metric, b.metric || '_sum')
    GROUP BY b.metric, b.seconds, b.le
),

-- Those that fell due first, as many as health looks at. The search ends where all behind fell due later than one has
-- waited since.
waiting AS (
    SELECT o.waits_since
    FROM (
        SELECT
            w.lead_id,
            w.reminder_due_at,
            min(w.waits_since) OVER due_before AS waits_since,
            lead(w.reminder_due_at) OVER due_before AS next_due_at
        FROM (
            SELECT
                r.lead_id,
                r.reminder_due_at,
                r.waits_since
            FROM lead_protection.waiting_reminders(now()) AS r
            ORDER BY r.reminder_due_at, r.lead_id
            LIMIT 1000
        ) AS w
        WINDOW due_before AS (ORDER BY w.reminder_due_at, w.lead_id ROWS UNBOUNDED PRECEDING)
    ) AS o
    WHERE o.next_due_at IS NULL OR o.next_due_at >= o.waits_since
    ORDER BY o.reminder_due_at, o.lead_id
    LIMIT 1
),

outbox AS (
    SELECT
        jsonb_build_object('consumer', o.consumer_name) AS labels,
        o.pending,
        o.dead,
        o.lag
    FROM lead_protection.v_event_consumers AS o
),

jobs AS (
    SELECT
        jsonb_build_object('job', j.job_name) AS labels,
        j.last_success_at,
        j.running
    FROM lead_protection.v_kpi_jobs AS j
)

SELECT
    m.metric,
    d.type,
    d.help,
    m.sample,
    m.labels,
    m.value::double precision AS value
FROM lead_protection.metric_definitions AS d
INNER JOIN (
    -- Counted by refresh_metrics().
    SELECT
        v.metric,
        v.metric AS sample,
        v.labels,
        v.value
    FROM lead_protection.metric_values AS v
    UNION ALL
    SELECT
        'lead_metrics_age_seconds',
        'lead_metrics_age_seconds',
        '{}',
        extract(EPOCH FROM now() - min(v.measured_at))
    FROM lead_protection.metric_values AS v
    HAVING count(*) > 0
    UNION ALL
    -- Counters. A reminder that was sent had fallen due, also since the last refresh.
    SELECT
        c.metric,
        c.metric AS sample,
        c.labels,
        CASE c.metric
            WHEN 'lead_reminder_due_total'
                THEN greatest(
                    c.value,
                    (
                        SELECT s.value
                        FROM counters AS s
                        WHERE s.metric = 'lead_reminder_sent_total'
                    )
                )
            ELSE c.value
        END
    FROM counters AS c
    UNION ALL
    -- Histograms.
    SELECT
        h.metric,
        h.metric || '_bucket',
        jsonb_build_object('le', h.le),
        h.observed
    FROM histograms AS h
    UNION ALL
    SELECT
        h.metric,
        h.metric || '_count',
        '{}',
        h.observed
    FROM histograms AS h
    WHERE h.le = '+Inf'
    UNION ALL
    SELECT
        h.metric,
        h.metric || '_sum',
        '{}',
        h.seconds_sum
    FROM histograms AS h
    WHERE h.le = '+Inf'
    UNION ALL
    -- Read live.
    SELECT
        'lead_reminder_oldest_due_seconds',
        'lead_reminder_oldest_due_seconds',
        '{}',
        coalesce(extract(EPOCH FROM now() - min(w.waits_since)), 0)
    FROM waiting AS w
    UNION ALL
    SELECT
        'lead_outbox_lag_seconds',
        'lead_outbox_lag_seconds',
        o.labels,
        coalesce(extract(EPOCH FROM o.lag), 0)
    FROM outbox AS o
    UNION ALL
    SELECT
        'lead_outbox_pending',
        'lead_outbox_pending',
        o.labels,
        o.pending
    FROM outbox AS o
    UNION ALL
    SELECT
        'lead_outbox_dead_letters',
        'lead_outbox_dead_letters',
        o.labels,
        o.dead
    FROM outbox AS o
    UNION ALL
    SELECT
        'lead_job_last_success_timestamp_seconds',
        'lead_job_last_success_timestamp_seconds',
        j.labels,
        coalesce(extract(EPOCH FROM j.last_success_at), 0)
    FROM jobs AS j
    UNION ALL
    SELECT
        'lead_job_running_seconds',
        'lead_job_running_seconds',
        j.labels,
        coalesce(extract(EPOCH FROM j.running), 0)
    FROM jobs AS j
    UNION ALL
    SELECT
        'lead_job_skipped_locked',
        'lead_job_skipped_locked',
        '{}',
        count(*)
    FROM lead_protection.passed_over_leads
    UNION ALL
    SELECT
        'lead_job_passed_over_seconds',
        'lead_job_passed_over_seconds',
        '{}',
        coalesce(extract(EPOCH FROM now() - min(o.since)), 0)
    FROM lead_protection.passed_over_leads AS o
    UNION ALL
    SELECT
        'lead_cron_faults',
        'lead_cron_faults',
        '{}',
        count(*)
    FROM lead_protection.cron_faults()
    UNION ALL
    SELECT
        'lead_oldest_snapshot_seconds',
        'lead_oldest_snapshot_seconds',
        '{}',
        coalesce(greatest(extract(EPOCH FROM now() - min(o.since)), 0), 0)
    FROM lead_protection.old_snapshots() AS o
    UNION ALL
    SELECT
        'lead_log_problems',
        'lead_log_problems',
        '{}',
        p.found
    FROM lead_protection.nightly_proofs AS p
    WHERE p.step = 'log_problems'
    UNION ALL
    SELECT
        'lead_log_events_missing',
        'lead_log_events_missing',
        '{}',
        p.found
    FROM lead_protection.nightly_proofs AS p
    WHERE p.step = 'events_published'
    UNION ALL
    SELECT
        'lead_log_seal_number',
        'lead_log_seal_number',
        '{}',
        coalesce(s.seal, 0)
    FROM lead_protection.v_kpi_seals AS s
    UNION ALL
    SELECT
        'lead_log_seal_rows',
        'lead_log_seal_rows',
        '{}',
        coalesce(s.tree_size, 0)
    FROM lead_protection.v_kpi_seals AS s
    UNION ALL
    -- As many bits as a number of Prometheus's holds: what it has scraped bears witness to the root.
    SELECT
        'lead_log_seal_root',
        'lead_log_seal_root',
        '{}',
        ('x' || substr(s.root, 1, 12))::bit(48)::bigint
    FROM lead_protection.v_kpi_seals AS s
    WHERE s.root IS NOT NULL
    UNION ALL
    SELECT
        'lead_log_unsealed_seconds',
        'lead_log_unsealed_seconds',
        '{}',
        coalesce(greatest(extract(EPOCH FROM now() - s.unsealed_since), 0), 0)
    FROM lead_protection.v_kpi_seals AS s
    UNION ALL
    SELECT
        'lead_clock_drift',
        'lead_clock_drift',
        '{}',
        c.drifted
    FROM lead_protection.v_kpi_clock_drift AS c
    UNION ALL
    SELECT
        'lead_default_policy',
        'lead_default_policy',
        '{}',
        count(*)
    FROM lead_protection.protection_policies AS p
    WHERE p.is_default
    UNION ALL
    SELECT
        'lead_default_policy_changed',
        'lead_default_policy_changed',
        '{}',
        count(*)
    FROM lead_protection.v_default_policy_change
    UNION ALL
    SELECT
        'lead_protection_adoption_lag_seconds',
        'lead_protection_adoption_lag_seconds',
        '{}',
        coalesce(extract(EPOCH FROM now() - min(a.oldest_untried_at)), 0)
    FROM lead_protection.v_kpi_adoption AS a
    UNION ALL
    SELECT
        'lead_protection_adoption_out_of_step',
        'lead_protection_adoption_out_of_step',
        '{}',
        coalesce(sum(a.waiting + 4 - a.triggers), 0)
    FROM lead_protection.v_kpi_adoption AS a
    UNION ALL
    SELECT
        'lead_protection_paused',
        'lead_protection_paused',
        '{}',
        (t.paused_at IS NOT NULL)::integer
    FROM lead_protection.settings AS t
    UNION ALL
    -- Unknown to those who may not see it, and on a standby, where nothing is scheduled.
    SELECT
        'lead_scheduler_up',
        'lead_scheduler_up',
        '{}',
        (
            SELECT count(*)
            FROM pg_stat_activity AS a
            WHERE a.backend_type = 'pg_cron launcher'
        )
    WHERE NOT pg_is_in_recovery() AND pg_has_role('pg_read_all_stats', 'USAGE')
    UNION ALL
    SELECT
        'lead_database_time_seconds',
        'lead_database_time_seconds',
        '{}',
        extract(EPOCH FROM clock_timestamp())
) AS m ON d.metric = m.metric;

COMMENT ON VIEW lead_protection.metric_rows IS
'The rows of v_metrics as they are made. Read as it is it would be compiled, see metric_samples(). Internal.';
COMMENT ON COLUMN lead_protection.metric_rows.metric IS 'As in v_metrics.';
COMMENT ON COLUMN lead_protection.metric_rows.type IS 'As in v_metrics.';
COMMENT ON COLUMN lead_protection.metric_rows.help IS 'As in v_metrics.';
COMMENT ON COLUMN lead_protection.metric_rows.sample IS 'As in v_metrics.';
COMMENT ON COLUMN lead_protection.metric_rows.labels IS 'As in v_metrics.';
COMMENT ON COLUMN lead_protection.metric_rows.value IS 'As in v_metrics.';
