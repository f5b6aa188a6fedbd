CREATE OR REPLACE FUNCTION lead_protection.try_refresh_metrics()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    failed lead_protection.job_progress;
BEGIN
    PERFORM lead_protection.refresh_metrics();
EXCEPTION
    WHEN query_canceled OR OTHERS THEN
        RAISE WARNING 'the metrics were not refreshed: %: %', SQLSTATE, SQLERRM;
        failed := lead_protection.start_job_run('lead-protection-metrics');
        UPDATE lead_protection.job_runs AS r
        SET outcome = 'failed', finished_at = clock_timestamp(), error = SQLSTATE || ': ' || SQLERRM
        WHERE r.id = failed.run_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.try_refresh_metrics() IS
'Like refresh_metrics(), but if it fails that is a warning, and a failed run of lead-protection-metrics in job_runs. '
'Internal: the pipeline ends with it.';
