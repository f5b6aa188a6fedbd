-- What a job hands on from one of its transactions to the next; and a view that has a row for something else now.
-- depends: 0010_job_runs 0034_indexes

CREATE TYPE lead_protection.job_progress AS (
    run_id bigint,
    job_name text,
    started_at timestamptz,
    steps text [],
    lead_ids bigint [],
    result jsonb,
    outcome text,
    error_state text,
    error_message text,
    error_detail text,
    error_hint text
);

COMMENT ON TYPE lead_protection.job_progress IS
'A run of a job under way. run_id, job_name, started_at: as in job_runs; steps: those still to do, none: the run has '
'ended; lead_ids: whom the step at work still has to remind; result: what was done, as in job_runs; outcome: how the run '
'ends if it ends now; error_…: what made it fail.';
COMMENT ON COLUMN lead_protection.job_progress.run_id IS 'The run, in job_runs.';
COMMENT ON COLUMN lead_protection.job_progress.job_name IS 'Its job.';
COMMENT ON COLUMN lead_protection.job_progress.started_at IS 'When it started.';
COMMENT ON COLUMN lead_protection.job_progress.steps IS 'What is still to do, the step at work first.';
COMMENT ON COLUMN lead_protection.job_progress.lead_ids IS 'Whom it still has to remind; null: not asked for yet.';
COMMENT ON COLUMN lead_protection.job_progress.result IS 'What it has done, as counts.';
COMMENT ON COLUMN lead_protection.job_progress.outcome IS
'succeeded as soon as one step was done, skipped before that; failed.';
COMMENT ON COLUMN lead_protection.job_progress.error_state IS 'The SQLSTATE of what made it fail.';
COMMENT ON COLUMN lead_protection.job_progress.error_message IS 'Its message.';
COMMENT ON COLUMN lead_protection.job_progress.error_detail IS 'Its DETAIL.';
COMMENT ON COLUMN lead_protection.job_progress.error_hint IS 'Its HINT.';

-- It is by user and reason now, not by user.
DROP VIEW IF EXISTS lead_protection.v_kpi_holds;

COMMENT ON INDEX lead_protection.protection_log_reactivated IS
'The reactivations of the last days, for whoever asks protection_log for them.';
