CREATE OR REPLACE FUNCTION lead_protection.raise_job_failure(run_id bigint)
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run lead_protection.job_runs;
BEGIN
    SELECT r.* INTO run FROM lead_protection.job_runs AS r WHERE r.id = raise_job_failure.run_id;
    IF run.outcome = 'failed' THEN
        RAISE EXCEPTION USING
            ERRCODE = left(run.error, 5),
            MESSAGE = substr(run.error, 8),
            DETAIL = concat_ws(
                E'\n', nullif(run.error_detail, ''),
                format('Run %s of job %s failed; what it had committed before stands.', run.id, run.job_name)
            ),
            HINT = coalesce(nullif(run.error_hint, ''), 'Mend the cause; the next run catches up by itself.');
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.raise_job_failure(bigint) IS
'Raises what made a run fail, once more, with the run''s number in the DETAIL; a run that did not fail: nothing. '
'Internal: the jobs end with it.';
