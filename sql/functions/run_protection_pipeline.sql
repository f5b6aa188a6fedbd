-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.run_protection_pipeline(
    as_of timestamptz DEFAULT NULL, batch_size integer DEFAULT 1000
)
LANGUAGE plpgsql
AS $$
DECLARE
    job_name CONSTANT text := 'lead-protection-reminders';
    run_id bigint;
    handled bigint [];
    total bigint [] := ARRAY[0, 0, 0];
    result jsonb := '{}';
    outcome text := 'skipped';
    error_state text;
    error_message text;
BEGIN
    IF as_of > pg_catalog.clock_timestamp() OR NOT pg_catalog.isfinite(as_of) THEN
        RAISE EXCEPTION 'the pipeline cannot run as of %', as_of
            USING ERRCODE = 'LP013',
            DETAIL = pg_catalog.format('It is now %s.', pg_catalog.clock_timestamp()),
            HINT = 'What it sends cannot be taken back. To look ahead, use derive_lead_protection(as_of).';
    END IF;
    IF batch_size IS NULL OR batch_size < 1 THEN
        RAISE EXCEPTION 'batch_size must be 1 or more'
            USING ERRCODE = 'LP016',
            DETAIL = pg_catalog.format('Given: %s.', COALESCE(batch_size::text, 'null')),
            HINT = 'It is how many leads of each kind one transaction handles; leave it out for 1000.';
    END IF;

    run_id := lead_protection.start_job_run(job_name);
    COMMIT;

    -- Whoever holds the lock does the work of all: a run that does not get it leaves.
    WHILE lead_protection.try_job_lock(job_name) LOOP
        BEGIN
            handled := ARRAY[
                lead_protection.record_reactivations(as_of, batch_size),
                lead_protection.send_due_reminders(as_of, batch_size),
                lead_protection.record_expiries(as_of, batch_size)
            ];
            total := ARRAY[total[1] + handled[1], total[2] + handled[2], total[3] + handled[3]];
            result := pg_catalog.jsonb_build_object(
                'reactivations', total[1], 'reminders', total[2], 'expiries', total[3]
            );
            outcome := 'succeeded';
            PERFORM lead_protection.update_job_run(run_id, result);
        EXCEPTION
            WHEN query_canceled OR OTHERS THEN
                outcome := 'failed';
                error_state := SQLSTATE;
                error_message := SQLERRM;
        END;
        EXIT WHEN outcome = 'failed' OR handled = ARRAY[0, 0, 0]::bigint [];
        COMMIT;
    END LOOP;

    PERFORM lead_protection.update_job_run(run_id, result, outcome, error_state || ': ' || error_message);
    COMMIT;
    IF outcome = 'failed' THEN
        RAISE EXCEPTION USING ERRCODE = error_state, MESSAGE = error_message,
            DETAIL = pg_catalog.format('Run %s of job %s failed; what it had committed before stands.', run_id, job_name),
            HINT = 'Mend the cause; the next run catches up by itself.';
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.run_protection_pipeline(timestamptz, integer) IS
'Job lead-protection-reminders: records reactivations, sends due reminders and records expiries until nothing is left that is due at or before as_of. as_of null (the default): now, taken anew for each batch; given: an instant in the past. batch_size: leads of each kind in one transaction.
Commits after each batch, so it must be called outside a transaction block (2D000 otherwise). One row in job_runs a call. Level-triggered: what a missed run left is done by the next. Repeated, or twice at once, it sends nothing twice.
Errors: LP013 as_of in the future or infinite, LP016 batch_size below 1; whatever else fails is recorded in job_runs and raised again.';
