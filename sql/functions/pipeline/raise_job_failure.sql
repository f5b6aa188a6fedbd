CREATE OR REPLACE FUNCTION lead_protection.raise_job_failure(job lead_protection.job_progress)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF raise_job_failure.job.outcome = 'failed' THEN
        RAISE EXCEPTION USING
            ERRCODE = raise_job_failure.job.error_state,
            MESSAGE = raise_job_failure.job.error_message,
            DETAIL = concat_ws(
                E'\n', nullif(raise_job_failure.job.error_detail, ''),
                format(
                    'Run %s of job %s failed; what it had committed before stands.',
                    raise_job_failure.job.run_id, raise_job_failure.job.job_name
                )
            ),
            HINT = coalesce(
                nullif(raise_job_failure.job.error_hint, ''), 'Mend the cause; the next run catches up by itself.'
            );
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.raise_job_failure(lead_protection.job_progress) IS
'Raises what made a run fail, once more, with the run''s number in the DETAIL; a run that did not fail: nothing. '
'Internal: the jobs end with it.';
