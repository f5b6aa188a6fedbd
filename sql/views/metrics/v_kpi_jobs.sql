CREATE OR REPLACE VIEW lead_protection.v_kpi_jobs AS
SELECT
    j.job_name,
    j.schedule,
    (
        SELECT r.finished_at
        FROM lead_protection.job_runs AS r
        WHERE r.job_name = j.job_name AND r.outcome = 'succeeded'
        ORDER BY r.started_at DESC
        LIMIT 1
    ) AS last_success_at,
    last_run.started_at AS last_started_at,
    last_run.outcome AS last_outcome,
    failing.error AS last_error,
    running.since AS running_since,
    now() - running.since AS running,
    coalesce(failures.value, 0)::bigint AS failures,
    -- What a clock recorded that ran ahead is no sign of life.
    (
        SELECT r.finished_at
        FROM lead_protection.job_runs AS r
        WHERE
            r.job_name = j.job_name AND r.started_at <= clock_timestamp()
            AND (r.outcome = 'succeeded' OR r.result ? 'waiting')
        ORDER BY r.started_at DESC
        LIMIT 1
    ) AS last_sign_of_life_at,
    failing.failures AS failures_in_a_row,
    failing.since AS failing_since
FROM lead_protection.job_definitions AS j
LEFT JOIN LATERAL (
    SELECT
        r.started_at,
        r.outcome
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
LEFT JOIN LATERAL (
    SELECT
        count(*) AS failures,
        min(r.started_at) AS since,
        (array_agg(r.error ORDER BY r.started_at DESC))[1] AS error
    FROM lead_protection.job_runs AS r
    WHERE
        r.job_name = j.job_name AND r.outcome = 'failed'
        AND r.started_at > coalesce(
            (
                SELECT max(s.started_at)
                FROM lead_protection.job_runs AS s
                WHERE s.job_name = j.job_name AND s.outcome = 'succeeded'
            ),
            '-infinity'
        )
) AS failing ON true
LEFT JOIN lead_protection.v_metric_counters AS failures
    ON failures.metric = 'lead_job_failures_total' AND failures.labels = jsonb_build_object('job', j.job_name)
WHERE NOT j.in_cron_database;

COMMENT ON VIEW lead_protection.v_kpi_jobs IS
'How each of our jobs is, from job_runs; what pg_cron knows is in its own tables.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.job_name IS 'The job.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.schedule IS 'When it is to run, as pg_cron has it.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_success_at IS
'When it last ended well; null: never, or not within the 90 days that job_runs is kept.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_started_at IS 'When its last run started.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_outcome IS 'How that ended, or running.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_error IS
'SQLSTATE and message of the last run that failed, if none has succeeded since.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.running_since IS
'Since when it has been running; of a run that was killed: until the next starts; null: it is not.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.running IS 'For how long, elapsed time.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.failures IS 'Runs that failed or never came back, ever.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.last_sign_of_life_at IS
'When a run last ended that did its work, or had a reason to wait, such as a pause; null: none did.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.failures_in_a_row IS
'Runs that failed since the last that succeeded; 0: none.';
COMMENT ON COLUMN lead_protection.v_kpi_jobs.failing_since IS 'When the first of these started; null: there is none.';
