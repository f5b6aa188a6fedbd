-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.run_nightly_maintenance(keep interval DEFAULT INTERVAL '90 days')
LANGUAGE plpgsql
AS $$
DECLARE
    job_name CONSTANT text := 'lead-protection-nightly';
    run_id bigint;
    step text;
    handled bigint;
    result jsonb := pg_catalog.jsonb_build_object();
    outcome text := 'skipped';
    waits_for text;
    error_state text;
    error_message text;
    error_detail text;
    error_hint text;
BEGIN
    run_id := lead_protection.start_job_run(job_name);
    COMMIT;

    -- A transaction for each step: one that locks leads after another did would not lock them in the order of their ids.
    FOREACH step IN ARRAY ARRAY[
        'holds_overrun', 'hold_limits_announced', 'adopted_rows_queued', 'clocks_mended', 'events_purged',
        'job_runs_purged'
    ] LOOP
        EXIT WHEN NOT lead_protection.try_job_lock(job_name);
        waits_for := lead_protection.waiting_reason();
        EXIT WHEN waits_for IS NOT NULL;
        BEGIN
            handled := CASE step
                WHEN 'holds_overrun' THEN lead_protection.end_overrun_holds()
                WHEN 'hold_limits_announced' THEN lead_protection.announce_hold_limits()
                WHEN 'adopted_rows_queued' THEN lead_protection.queue_adoption_drift()
                WHEN 'clocks_mended' THEN lead_protection.mend_clock_drift()
                WHEN 'events_purged' THEN lead_protection.purge_events(keep)
                ELSE lead_protection.purge_job_history(keep)
            END;
            result := pg_catalog.jsonb_set(result, ARRAY[step], pg_catalog.to_jsonb(handled));
            PERFORM lead_protection.update_job_run(run_id, result);
            outcome := 'succeeded';
        EXCEPTION
            WHEN query_canceled OR OTHERS THEN
                outcome := 'failed';
                GET STACKED DIAGNOSTICS
                    error_state = RETURNED_SQLSTATE, error_message = MESSAGE_TEXT,
                    error_detail = PG_EXCEPTION_DETAIL, error_hint = PG_EXCEPTION_HINT;
        END;
        EXIT WHEN outcome = 'failed';
        COMMIT;
    END LOOP;

    IF waits_for IS NOT NULL THEN
        result := result || pg_catalog.jsonb_build_object('waiting', waits_for);
    END IF;
    PERFORM lead_protection.update_job_run(run_id, result, outcome, error_state || ': ' || error_message);
    COMMIT;
    IF outcome = 'failed' THEN
        RAISE EXCEPTION USING ERRCODE = error_state, MESSAGE = error_message,
            DETAIL = pg_catalog.concat_ws(
                E'\n', nullif(error_detail, ''),
                pg_catalog.format('Run %s of job %s failed; what it had committed before stands.', run_id, job_name)
            ),
            HINT = coalesce(nullif(error_hint, ''), 'Mend the cause and call it again.');
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.run_nightly_maintenance(interval) IS
'Job lead-protection-nightly: ends holds that have passed the limit of their policy, announces those that will within '
'7 days, puts rows of adopted tables that are out of step into adoption_queue, proves that every cached clock equals '
'the rule, mends and logs those that do not (result.clocks_mended is the drift), and deletes what is older than keep, '
'at least 1 day: events that every registered consumer has finished, and job history.
Commits after each of them, so it must be called outside a transaction block (2D000 otherwise). One row in job_runs a '
'call. While there is a waiting_reason(), such as a pause, it leaves: outcome skipped, and the reason in '
'result.waiting. Repeated, it finds nothing left to do.
Errors: LP016 keep too short; whatever else fails is recorded in job_runs and raised again.';
