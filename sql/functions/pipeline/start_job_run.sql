CREATE OR REPLACE FUNCTION lead_protection.start_job_run(
    job_name text, steps text[] DEFAULT NULL, result jsonb DEFAULT '{}'
)
RETURNS lead_protection.job_progress
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- A run whose process is gone was killed before it could say so; so was one of this very process.
UPDATE lead_protection.job_runs AS r
SET outcome = 'abandoned', finished_at = clock_timestamp()
WHERE
    r.job_name = start_job_run.job_name AND r.outcome = 'running'
    AND (
        r.backend_pid = pg_backend_pid()
        OR NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = r.backend_pid)
    );

INSERT INTO lead_protection.job_runs AS r (job_name)
VALUES (start_job_run.job_name)
RETURNING
    r.id, r.job_name, r.started_at, start_job_run.steps, NULL::bigint [], start_job_run.result, 'skipped',
    NULL, NULL, NULL, NULL;
$$;

COMMENT ON FUNCTION lead_protection.start_job_run(text, text[], jsonb) IS
'Opens a row in job_runs; marks runs of the job that were killed as abandoned. Returns the run, for run_job_step(): '
'steps are what it is to do, result what it counts from. Internal: the jobs call it and commit.';
