-- The history of our jobs. Monitoring reads this, not pg_cron's tables.
-- depends: 0001_schema

CREATE TABLE lead_protection.job_runs (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT job_runs_pkey PRIMARY KEY,
    job_name text NOT NULL CONSTRAINT job_runs_job_name_not_blank CHECK (job_name ~ '[^[:space:]]'),
    backend_pid integer NOT NULL DEFAULT pg_backend_pid(),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    outcome text NOT NULL DEFAULT 'running',
    result jsonb NOT NULL DEFAULT '{}' CONSTRAINT job_runs_result_object CHECK (jsonb_typeof(result) = 'object'),
    error text,
    CONSTRAINT job_runs_outcome_known CHECK (
        outcome IN ('running', 'succeeded', 'failed', 'skipped', 'abandoned')
    ),
    CONSTRAINT job_runs_finished_unless_running CHECK ((outcome = 'running') = (finished_at IS NULL)),
    CONSTRAINT job_runs_finished_after_start CHECK (finished_at >= started_at),
    CONSTRAINT job_runs_error_when_failed CHECK ((outcome = 'failed') = (error IS NOT NULL))
);

CREATE INDEX job_runs_name_start ON lead_protection.job_runs (job_name, started_at);

COMMENT ON TABLE lead_protection.job_runs IS
'One row for each run of a job, committed when it starts. run_nightly_maintenance() deletes rows older than 90 days.';
COMMENT ON COLUMN lead_protection.job_runs.id IS 'The run''s number.';
COMMENT ON COLUMN lead_protection.job_runs.job_name IS 'The job, by the name that pg_cron knows.';
COMMENT ON COLUMN lead_protection.job_runs.backend_pid IS 'The server process that runs, or ran, it.';
COMMENT ON COLUMN lead_protection.job_runs.started_at IS 'When the run started.';
COMMENT ON COLUMN lead_protection.job_runs.finished_at IS 'When it ended; null while it runs.';
COMMENT ON COLUMN lead_protection.job_runs.outcome IS 'running; succeeded; failed (see error); skipped: another run was at work; abandoned: it never came back, the server or its session was killed.';
COMMENT ON COLUMN lead_protection.job_runs.result IS 'What it did, as counts.';
COMMENT ON COLUMN lead_protection.job_runs.error IS 'SQLSTATE and message of a failed run.';
COMMENT ON INDEX lead_protection.job_runs_name_start IS 'The last runs of a job.';
