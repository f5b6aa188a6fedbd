CREATE OR REPLACE FUNCTION lead_protection.update_job_run(
    run_id bigint, result jsonb, outcome text DEFAULT 'running', error text DEFAULT NULL
)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
UPDATE lead_protection.job_runs AS r
SET
    result = update_job_run.result,
    outcome = update_job_run.outcome,
    error = update_job_run.error,
    finished_at = CASE WHEN update_job_run.outcome <> 'running' THEN clock_timestamp() END
WHERE r.id = update_job_run.run_id AND r.outcome = 'running'
$$;

COMMENT ON FUNCTION lead_protection.update_job_run(bigint, jsonb, text, text) IS
'Records how far a run has come (outcome running) or how it ended; one that has ended stays as it is. Internal: the '
'jobs call it.';
