CREATE OR REPLACE VIEW lead_protection.v_kpi_jobs AS
SELECT
    j.job_name,
    j.schedule,
    succeeded.finished_at AS last_success_at,
    last_run.started_at AS last_started_at,
    last_run.outcome AS last_outcome,
    last_run.error AS last_error,
    running.since AS running_since,
    now() - running.since AS running,
    coalesce(failures.value, 0)::bigint AS failures
FROM lead_protection.job_definitions AS j
LEFT JOIN LATERAL (
    SELECT r.finished_at
    FROM lead_protection.job_runs AS r
    WHERE r.job_name = j.job_name AND r.outcome = 'succeeded'
    ORDER BY r.started_at DESC
    LIMIT 1
) AS succeeded ON true
LEFT JOIN LATERAL (
    SELECT
        r.started_at,
        r.outcome,
        r.error
    FROM lead_protection.job_runs AS r
    WHERE r.job_name = j.job_name
    ORDER BY r.started_at DESC
    LIMIT 1
) AS last_run ON true
LEFT JOIN LATERAL (
    SELECT min(r.started_at) AS since
    FROM lead_protection.job_runs AS r
    WHERE r.job_name = j.job_name AND r.outcome = 'running'
) AS running ON true
LEFT JOIN lead_protection.v_metric_counters AS failures
    ON failures.metric = 'lead_job_failures_total' AND failures.labels = jsonb_build_object('job', j.job_name)
WHERE NOT j.in_cron_database;

COMMENT ON VIEW lead_protection.v_kpi_jobs IS
'The health of each of our jobs, from job_runs; what pg_cron knows is in its own tables.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.job_name IS 'The job.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.schedule IS 'When it is to run, as pg_cron has it.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_success_at IS
'When it last ended well; null: never, or not within the 90 days that job_runs is kept.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_started_at IS 'When its last run started.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_outcome IS 'How that ended, or running.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_error IS 'SQLSTATE and message, if it failed.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.running_since IS
'Since when it has been running; of a run that was killed: until the next starts; null: it is not.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.running IS 'For how long, elapsed time.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.failures IS 'Runs that failed or never came back, ever.';
