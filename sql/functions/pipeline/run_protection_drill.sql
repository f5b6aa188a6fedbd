-- Only loops and commits: see run_protection_pipeline().
CREATE OR REPLACE PROCEDURE lead_protection.run_protection_drill(as_of timestamptz, batch_size integer DEFAULT 1000)
LANGUAGE plpgsql
AS $$
DECLARE
    run_id bigint;
BEGIN
    run_id := lead_protection.start_drill(run_protection_drill.as_of, run_protection_drill.batch_size);
    COMMIT;
    WHILE lead_protection.run_job_step(run_id) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
    PERFORM lead_protection.raise_job_failure(run_id);
END;
$$;

COMMENT ON PROCEDURE lead_protection.run_protection_drill(timestamptz, integer) IS
'A run of the pipeline that decides for as_of, an instant in the past: what it sends and records bears that instant. '
'For drills, for the owner, and only in a database that is marked for them (settings.for_drills): where leads are '
'real it would take the grace from users whose policy has notice. Otherwise as run_protection_pipeline(), without the '
'metrics.
Errors: LP001 no as_of, LP013 as_of in the future or infinite, LP016 batch_size below 1, LP080 the database is not '
'marked for drills.';
