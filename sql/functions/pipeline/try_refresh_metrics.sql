CREATE OR REPLACE FUNCTION lead_protection.try_refresh_metrics()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run_id bigint;
BEGIN
    PERFORM lead_protection.refresh_metrics();
EXCEPTION
    WHEN query_canceled OR OTHERS THEN
        RAISE WARNING 'the metrics were not refreshed: %: %', SQLSTATE, SQLERRM;
        -- Ended as every run is, so that it is counted.
        INSERT INTO lead_protection.job_runs AS r (job_name)
        VALUES ('lead-protection-metrics')
        RETURNING r.id INTO run_id;
        UPDATE lead_protection.job_runs AS r
        SET
            outcome = 'failed', finished_at = greatest(clock_timestamp(), r.started_at),
            error = SQLSTATE || ': ' || SQLERRM
        WHERE r.id = run_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.try_refresh_metrics() IS
'Like refresh_metrics(), but if it fails that is a warning, and a failed run of lead-protection-metrics in job_runs. '
'Internal: the pipeline ends with it.';
