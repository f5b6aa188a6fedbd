-- Only loops and commits: see run_protection_pipeline().
CREATE OR REPLACE PROCEDURE lead_protection.follow_adopted_tables(batch_size integer DEFAULT 500)
LANGUAGE plpgsql
AS $$
DECLARE
    run_id bigint;
BEGIN
    run_id := lead_protection.start_job_run('lead-protection-follow', follow_adopted_tables.batch_size);
    COMMIT;
    IF run_id IS NULL THEN
        RETURN;
    END IF;
    WHILE lead_protection.run_job_step(run_id) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
    PERFORM lead_protection.raise_job_failure(run_id);
END;
$$;

COMMENT ON PROCEDURE lead_protection.follow_adopted_tables(integer) IS
'Job lead-protection-follow: follows what was written to adopted tables since the last run, batch_size (500) rows in a '
'transaction, and tries rows again that could not be followed and whose pause is over. It runs also while the others '
'wait: nothing is sent by it but what the changes themselves tell.
Commits after each batch, so it must be called outside a transaction block (2D000 otherwise). One row in job_runs a '
'call; none where no table is adopted. Repeated, or twice at once, it follows nothing twice.
Errors: LP016 batch_size below 1; whatever else fails is recorded in job_runs and raised again.';
