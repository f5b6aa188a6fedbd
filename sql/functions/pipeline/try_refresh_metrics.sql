CREATE OR REPLACE FUNCTION lead_protection.try_refresh_metrics()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.refresh_metrics();
EXCEPTION
    WHEN query_canceled OR OTHERS THEN
        RAISE WARNING 'the metrics were not refreshed: %: %', SQLSTATE, SQLERRM;
        INSERT INTO lead_protection.job_runs (job_name, outcome, finished_at, error)
        VALUES ('lead-protection-metrics', 'failed', clock_timestamp(), SQLSTATE || ': ' || SQLERRM);
END;
$$;

COMMENT ON FUNCTION lead_protection.try_refresh_metrics() IS
'Like refresh_metrics(), but if it fails that is a warning, and a failed run of lead-protection-metrics in job_runs. '
'Internal: the pipeline ends with it.';
