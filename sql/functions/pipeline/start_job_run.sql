CREATE OR REPLACE FUNCTION lead_protection.start_job_run(
    job_name text, batch_size integer DEFAULT 1000, keep interval DEFAULT INTERVAL '90 days'
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    steps text [] := (
        SELECT j.steps FROM lead_protection.job_definitions AS j WHERE j.job_name = start_job_run.job_name
    );
    run_id bigint;
BEGIN
    -- What makes no sense is no run that failed: it is none.
    PERFORM lead_protection.require_job_arguments(NULL, start_job_run.batch_size, start_job_run.keep);
    IF steps IS NULL THEN
        RAISE EXCEPTION 'there is no job % with steps', coalesce(start_job_run.job_name, 'null')
            USING ERRCODE = 'LP082',
            DETAIL = format('The jobs are %s.', (
                SELECT string_agg(j.job_name, ', ' ORDER BY j.job_name)
                FROM lead_protection.job_definitions AS j
                WHERE j.steps IS NOT NULL
            )),
            HINT = 'CALL lead_protection.run_protection_pipeline() or lead_protection.run_nightly_maintenance().';
    END IF;

    -- A run that was killed, or cancelled between two steps, could not say so; nor could one of this very process.
    -- Those of all jobs: the nightly one would see its own a day later. What a clock that ran ahead has left must not
    -- hide what comes.
    UPDATE lead_protection.job_runs AS r
    SET
        outcome = 'abandoned', started_at = least(r.started_at, started.at),
        finished_at = started.at, steps = NULL, lead_ids = NULL
    FROM (SELECT clock_timestamp() AS at) AS started
    WHERE
        r.id IN (
            SELECT o.id
            FROM lead_protection.job_runs AS o
            INNER JOIN lead_protection.job_definitions AS j ON o.job_name = j.job_name
            WHERE
                o.outcome = 'running'
                AND (
                    (o.job_name = start_job_run.job_name AND o.backend_pid = pg_backend_pid())
                    OR NOT lead_protection.is_at_work(o)
                )
            FOR UPDATE OF o SKIP LOCKED
        );
    -- Where nothing is adopted, a run each minute would only fill job_runs. Who runs the job may not see that.
    IF
        start_job_run.job_name = 'lead-protection-follow'
        AND NOT EXISTS (SELECT FROM lead_protection.adoptions AS a WHERE a.disowned_at IS NULL)
    THEN
        RETURN NULL;
    END IF;
    -- Where no policy warns, the run is spared the step.
    IF NOT EXISTS (SELECT FROM lead_protection.policy_warnings AS w) THEN
        steps := array_remove(steps, 'warnings');
    END IF;
    INSERT INTO lead_protection.job_runs AS r (job_name, steps, batch_size, keep)
    VALUES (start_job_run.job_name, steps, start_job_run.batch_size, start_job_run.keep)
    RETURNING r.id INTO run_id;
    RETURN run_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.start_job_run(text, integer, interval) IS
'Opens a row in job_runs, with all steps of the job still to do (warnings only where a policy has some), for '
'run_job_step(); marks runs of all jobs that are '
'not at work any more as abandoned, see is_at_work(). batch_size, keep: as for the jobs. Returns the run''s number; '
'null, and opens none, for the following of adopted tables where none is adopted. Errors: LP016 batch_size or keep '
'makes no sense, LP082 no such job. Internal: the jobs call it and commit.';
