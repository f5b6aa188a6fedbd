CREATE OR REPLACE VIEW lead_protection.metric_definitions AS
SELECT
    d.metric,
    d.type,
    d.help
FROM (
    VALUES
    ('lead_protection_state', 'gauge', 'Leads by state, those on hold included.'),
    ('lead_protection_expired_count', 'gauge', 'Leads whose protection has ended and that are not closed.'),
    ('lead_protection_expiring', 'gauge', 'Leads whose protection ends within 7 days, those on hold left out.'),
    ('lead_protection_expired_total', 'counter', 'Expiries recorded.'),
    ('lead_protection_reactivated_total', 'counter', 'Leads whose announced end did not come.'),
    ('lead_protection_adoption_lag_seconds', 'gauge', 'Age of the oldest write to an adopted table not tried yet.'),
    ('lead_protection_adoption_out_of_step', 'gauge', 'Adopted rows that wait, and triggers that are missing.'),
    ('lead_protection_paused', 'gauge', '1 while an operator has paused the jobs.'),
    ('lead_reminder_due_total', 'counter', 'Reminders that fell due: sent, missed or waiting.'),
    ('lead_reminder_sent_total', 'counter', 'Reminders sent, repetitions of failed deliveries left out.'),
    ('lead_warning_sent_total', 'counter', 'Early warnings sent.'),
    ('lead_reminder_missed_total', 'counter', 'Reminders that were due and never sent: the protection ended first.'),
    ('lead_reminder_deliveries_total', 'counter', 'Reports of messages with a reminder, by outcome.'),
    ('lead_reminder_waiting', 'gauge', 'Reminders that are due and not sent, those on hold left out.'),
    (
        'lead_reminder_oldest_due_seconds', 'gauge',
        'For how long the reminder that waits longest could have been sent; 0: none waits.'
    ),
    ('lead_reminder_latency_seconds', 'histogram', 'From when a reminder could have been sent until it was.'),
    ('lead_reminder_processing_seconds', 'histogram', 'Run time of the pipeline that sends reminders.'),
    ('lead_outbox_lag_seconds', 'gauge', 'Age of the oldest event that a consumer has not finished; 0: there is none.'),
    ('lead_outbox_pending', 'gauge', 'Events that a consumer has not finished.'),
    ('lead_outbox_dead_letters', 'gauge', 'Events that a consumer gave up.'),
    ('lead_job_last_success_timestamp_seconds', 'gauge', 'When the job last succeeded, Unix time; 0: never.'),
    ('lead_job_running_seconds', 'gauge', 'For how long the job has been running; 0: it is not.'),
    ('lead_job_skipped_locked', 'gauge', 'Leads that the last runs left because other sessions hold them locked.'),
    ('lead_job_passed_over_seconds', 'gauge', 'For how long the first of these has been left; 0: there is none.'),
    ('lead_job_failures_total', 'counter', 'Runs of the job that failed or never came back.'),
    (
        'lead_cron_faults', 'gauge',
        'Jobs in pg_cron whose role is gone, or that two roles have scheduled, as far as is seen.'
    ),
    (
        'lead_oldest_snapshot_seconds', 'gauge',
        'For how long the oldest transaction has been open that keeps rows from being cleared away; 0: there is none.'
    ),
    ('lead_log_events_missing', 'gauge', 'Log rows that had no event in the last nightly proof.'),
    ('lead_log_seal_number', 'gauge', 'Number of the newest seal of the log; 0: there is none.'),
    ('lead_log_seal_rows', 'gauge', 'Log rows that the newest seal covers.'),
    ('lead_log_seal_root', 'gauge', 'The first 48 bits of the root of the newest seal, as a number.'),
    ('lead_log_unsealed_seconds', 'gauge', 'Age of the oldest log row that is not sealed; 0: all are.'),
    ('lead_log_problems', 'gauge', 'What is wrong with the log''s chain, as found by the last nightly proof.'),
    ('lead_clock_drift', 'gauge', 'Cached clocks that differed from the rule in the last nightly proof.'),
    ('lead_holds_active', 'gauge', 'Holds in force.'),
    ('lead_holds_overrun', 'gauge', 'Open holds that have passed the limit of their policy.'),
    ('lead_default_policy', 'gauge', '1 if there is a default policy.'),
    ('lead_default_policy_changed', 'gauge', '1 if the default policy is another one than a day ago.'),
    ('lead_scheduler_up', 'gauge', '1 if the process of pg_cron is there.'),
    ('lead_database_time_seconds', 'gauge', 'The clock of the database server, Unix time.'),
    ('lead_metrics_age_seconds', 'gauge', 'Age of those metrics that are not counted at each scrape.'),
    ('lead_metrics_refresh_seconds', 'gauge', 'What it took to count them.')
) AS d (metric, type, help);

COMMENT ON VIEW lead_protection.metric_definitions IS 'The metrics of v_metrics, explained for Prometheus.';
COMMENT ON COLUMN lead_protection.metric_definitions.metric IS 'The metric.';
COMMENT ON COLUMN lead_protection.metric_definitions.type IS 'counter: never falls; gauge; histogram.';
COMMENT ON COLUMN lead_protection.metric_definitions.help IS 'What it says.';
