CREATE OR REPLACE FUNCTION lead_protection.purge_job_history(keep interval)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    purged bigint;
BEGIN
    PERFORM lead_protection.require_keep(purge_job_history.keep);
    DELETE FROM lead_protection.job_runs AS r
    WHERE r.started_at < now() - purge_job_history.keep AND r.outcome <> 'running';
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END;
$$;

COMMENT ON FUNCTION lead_protection.purge_job_history(interval) IS
'Deletes finished job runs that started longer than keep ago. Returns how many. Error: LP016 if keep is null or '
'shorter than 1 day. Internal: run_nightly_maintenance() calls it.';
