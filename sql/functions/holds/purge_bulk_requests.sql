CREATE OR REPLACE FUNCTION lead_protection.purge_bulk_requests(keep interval)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old CONSTANT text [] := ARRAY(
        SELECT r.request_key
        FROM lead_protection.bulk_hold_requests AS r
        WHERE r.asked_at < now() - purge_bulk_requests.keep
    );
    purged bigint;
BEGIN
    DELETE FROM lead_protection.bulk_hold_results AS r WHERE r.request_key = ANY(old);
    DELETE FROM lead_protection.bulk_hold_requests AS r WHERE r.request_key = ANY(old);
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END;
$$;

COMMENT ON FUNCTION lead_protection.purge_bulk_requests(interval) IS
'Deletes bulk requests that were made longer than keep ago, with their answers; the same request_key is then a new '
'request. What they did stays: holds and log rows bear the request_key. Returns how many requests. Internal: '
'run_job_step() calls it and has checked keep.';
