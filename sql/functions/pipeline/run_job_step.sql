-- All that a job does in one of its transactions. What is to be done stands in the run's row and is no argument:
-- whoever may call this can make a run go on, and can neither choose its steps nor say that they were done.
CREATE OR REPLACE FUNCTION lead_protection.run_job_step(run_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run lead_protection.job_runs;
    step text;
    waits_for text;
    handled bigint;
    step_is_done boolean := true;
BEGIN
    SELECT r.* INTO run FROM lead_protection.job_runs AS r WHERE r.id = run_job_step.run_id;
    IF run.outcome IS DISTINCT FROM 'running' THEN
        RETURN false;
    END IF;
    step := run.steps[1];

    -- Whoever holds the lock does the work of all: a run that does not get it leaves. A lock of the transaction:
    -- whatever ends the run gives it back, even in an operator's psql. It spares a queued run useless work; what keeps
    -- two runs from sending twice are the ledgers' keys.
    PERFORM FROM lead_protection.lock_rows AS l WHERE l.lock_name = run.job_name FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        run.steps := NULL;
    ELSE
        -- What the company writes is followed, whatever waits: nothing is sent by it.
        waits_for := CASE WHEN run.job_name <> 'lead-protection-follow' THEN lead_protection.waiting_reason() END;
    END IF;

    IF waits_for IS NOT NULL THEN
        run.steps := NULL;
        run.result := run.result || jsonb_build_object('waiting', waits_for);
    ELSIF run.steps IS NOT NULL THEN
        BEGIN
            CASE step
                WHEN 'adopted_rows' THEN
                    handled := lead_protection.follow_adoption_queue(run.started_at, run.batch_size);
                    step_is_done := handled = 0;
                WHEN 'reactivations' THEN
                    handled := lead_protection.record_reactivations(run.as_of, run.batch_size);
                    step_is_done := handled = 0;
                WHEN 'expiries' THEN
                    handled := lead_protection.record_expiries(run.as_of, run.batch_size);
                    step_is_done := handled = 0;
                WHEN 'reminders' THEN
                    run.lead_ids := coalesce(run.lead_ids, lead_protection.reminders_to_send(run.as_of));
                    handled := lead_protection.send_due_reminders(run.lead_ids[1:run.batch_size], run.as_of);
                    run.lead_ids := run.lead_ids[run.batch_size + 1:];
                    step_is_done := run.lead_ids = '{}';
                WHEN 'warnings' THEN
                    run.lead_ids := coalesce(run.lead_ids, lead_protection.reminders_to_send(run.as_of, step));
                    handled := lead_protection.send_due_warnings(run.lead_ids[1:run.batch_size], run.as_of);
                    run.lead_ids := run.lead_ids[run.batch_size + 1:];
                    step_is_done := run.lead_ids = '{}';
                WHEN 'log_sealed' THEN
                    handled := lead_protection.seal_protection_log();
                WHEN 'holds_overrun' THEN
                    handled := lead_protection.end_overrun_holds(run.batch_size);
                    step_is_done := handled = 0;
                WHEN 'hold_limits_announced' THEN
                    handled := lead_protection.announce_hold_limits(batch_size => run.batch_size);
                    step_is_done := handled = 0;
                WHEN 'adopted_rows_queued' THEN
                    handled := lead_protection.queue_adoption_drift();
                WHEN 'clocks_mended' THEN
                    handled := lead_protection.mend_clock_drift();
                WHEN 'log_rows_chained' THEN
                    handled := lead_protection.chain_next_rows(run.batch_size);
                    step_is_done := handled = 0;
                WHEN 'texts_erased' THEN
                    run.lead_ids := coalesce(run.lead_ids, lead_protection.leads_with_old_texts());
                    handled := lead_protection.erase_old_texts(run.lead_ids[1:run.batch_size]);
                    run.lead_ids := run.lead_ids[run.batch_size + 1:];
                    step_is_done := run.lead_ids = '{}';
                WHEN 'log_problems' THEN
                    SELECT count(*) INTO handled FROM lead_protection.verify_protection_log();
                WHEN 'events_published' THEN
                    handled := lead_protection.publish_missing_events();
                WHEN 'events_purged' THEN
                    handled := lead_protection.purge_events(run.keep);
                WHEN 'job_runs_purged' THEN
                    DELETE FROM lead_protection.job_runs AS r
                    WHERE r.started_at < now() - run.keep AND r.outcome <> 'running';
                    GET DIAGNOSTICS handled = ROW_COUNT;
                WHEN 'bulk_requests_purged' THEN
                    handled := lead_protection.purge_bulk_requests(run.keep);
            END CASE;
            run.result := run.result
            || jsonb_build_object(step, coalesce((run.result ->> step)::bigint, 0) + handled);
            IF step_is_done THEN
                run.steps := nullif(run.steps[2:], '{}');
                run.lead_ids := NULL;
            END IF;
            IF run.steps IS NULL THEN
                run.result := run.result
                || jsonb_build_object('skipped_locked', lead_protection.count_passed_over(run));
            END IF;
        EXCEPTION
            WHEN query_canceled OR OTHERS THEN
                GET STACKED DIAGNOSTICS
                    run.error = MESSAGE_TEXT, run.error_detail = PG_EXCEPTION_DETAIL,
                    run.error_hint = PG_EXCEPTION_HINT;
                run.error := SQLSTATE || ': ' || run.error;
                run.steps := NULL;
        END;
    END IF;

    run.stepped_at := clock_timestamp();
    UPDATE lead_protection.job_runs AS r
    SET
        steps = run.steps,
        stepped_at = run.stepped_at,
        lead_ids = CASE WHEN run.steps IS NOT NULL THEN run.lead_ids END,
        result = run.result,
        outcome = CASE
            WHEN run.steps IS NOT NULL THEN 'running'
            WHEN run.error IS NOT NULL THEN 'failed'
            WHEN run.result - 'waiting' = '{}' THEN 'skipped'
            ELSE 'succeeded'
        END,
        error = run.error,
        error_detail = run.error_detail,
        error_hint = run.error_hint,
        finished_at = CASE WHEN run.steps IS NULL THEN run.stepped_at END,
        -- A clock that was stepped back during the run must not leave one that lies ahead and hides the next.
        started_at = CASE WHEN run.steps IS NULL THEN least(r.started_at, run.stepped_at) ELSE r.started_at END
    WHERE r.id = run.id AND r.outcome = 'running';
    RETURN FOUND AND run.steps IS NOT NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.run_job_step(bigint) IS
'Does the first of the steps that a run has still to do, or one batch of it, and records in job_runs how far the run '
'has come. Returns whether a step is left; false: it has ended, and its outcome is recorded: succeeded, failed (the '
'error is caught and in its row, for raise_job_failure()), or skipped, if nothing was done because another run holds '
'the lock of the job or there is a waiting_reason(). A run that has ended stays as it is. run_id: of start_job_run(). '
'Internal: the jobs call it until no step is left, and commit after each call.';
