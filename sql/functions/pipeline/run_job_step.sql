-- All that a job does in one of its transactions.
CREATE OR REPLACE FUNCTION lead_protection.run_job_step(
    job lead_protection.job_progress,
    as_of timestamptz DEFAULT NULL,
    batch_size integer DEFAULT 1000,
    keep interval DEFAULT INTERVAL '90 days'
)
RETURNS lead_protection.job_progress
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    progress lead_protection.job_progress := run_job_step.job;
    step CONSTANT text := progress.steps[1];
    waits_for text;
    handled bigint;
    step_is_done boolean := true;
BEGIN
    -- Whoever holds the lock does the work of all: a run that does not get it leaves. A lock of the transaction, not of
    -- the session: whatever ends the run gives it back, even in an operator's psql. It spares a queued run useless work;
    -- what keeps two runs from sending twice are the ledgers' keys.
    IF NOT pg_try_advisory_xact_lock(lead_protection.job_lock_key(progress.job_name)) THEN
        progress.steps := NULL;
    ELSE
        waits_for := lead_protection.waiting_reason();
    END IF;

    IF waits_for IS NOT NULL THEN
        progress.steps := NULL;
        progress.result := CASE progress.outcome WHEN 'skipped' THEN '{}' ELSE progress.result END
        || jsonb_build_object('waiting', waits_for);
    ELSIF progress.steps IS NOT NULL THEN
        BEGIN
            PERFORM lead_protection.require_job_arguments(
                run_job_step.as_of, run_job_step.batch_size, run_job_step.keep
            );
            CASE step
                WHEN 'adopted_rows' THEN
                    handled := lead_protection.retry_adoption_queue(progress.started_at, run_job_step.batch_size);
                    step_is_done := handled = 0;
                WHEN 'reactivations' THEN
                    handled := lead_protection.record_reactivations(run_job_step.as_of, run_job_step.batch_size);
                    step_is_done := handled = 0;
                WHEN 'expiries' THEN
                    handled := lead_protection.record_expiries(run_job_step.as_of, run_job_step.batch_size);
                    step_is_done := handled = 0;
                WHEN 'reminders' THEN
                    progress.lead_ids := coalesce(
                        progress.lead_ids,
                        lead_protection.reminders_to_send(coalesce(run_job_step.as_of, clock_timestamp()))
                    );
                    handled := lead_protection.send_due_reminders(
                        progress.lead_ids[1:run_job_step.batch_size], run_job_step.as_of
                    );
                    progress.lead_ids := progress.lead_ids[run_job_step.batch_size + 1:];
                    step_is_done := progress.lead_ids = '{}';
                WHEN 'holds_overrun' THEN
                    handled := lead_protection.end_overrun_holds();
                WHEN 'hold_limits_announced' THEN
                    handled := lead_protection.announce_hold_limits();
                WHEN 'adopted_rows_queued' THEN
                    handled := lead_protection.queue_adoption_drift();
                WHEN 'clocks_mended' THEN
                    handled := lead_protection.mend_clock_drift();
                WHEN 'events_purged' THEN
                    handled := lead_protection.purge_events(run_job_step.keep);
                WHEN 'job_runs_purged' THEN
                    DELETE FROM lead_protection.job_runs AS r
                    WHERE r.started_at < now() - run_job_step.keep AND r.outcome <> 'running';
                    GET DIAGNOSTICS handled = ROW_COUNT;
            END CASE;
            progress.outcome := 'succeeded';
            progress.result := progress.result
            || jsonb_build_object(step, coalesce((progress.result ->> step)::bigint, 0) + handled);
            IF step_is_done THEN
                progress.steps := nullif(progress.steps[2:], '{}');
            END IF;
        EXCEPTION
            WHEN query_canceled OR OTHERS THEN
                GET STACKED DIAGNOSTICS
                    progress.error_state = RETURNED_SQLSTATE, progress.error_message = MESSAGE_TEXT,
                    progress.error_detail = PG_EXCEPTION_DETAIL, progress.error_hint = PG_EXCEPTION_HINT;
                progress.outcome := 'failed';
                progress.steps := NULL;
        END;
    END IF;

    UPDATE lead_protection.job_runs AS r
    SET
        result = progress.result,
        outcome = CASE WHEN progress.steps IS NULL THEN progress.outcome ELSE 'running' END,
        error = progress.error_state || ': ' || progress.error_message,
        finished_at = CASE WHEN progress.steps IS NULL THEN clock_timestamp() END
    WHERE r.id = progress.run_id AND r.outcome = 'running';
    RETURN progress;
END;
$$;

COMMENT ON FUNCTION lead_protection.run_job_step(lead_protection.job_progress, timestamptz, integer, interval) IS
'Does the first step of a run, or one batch of it, and records in job_runs how far the run has come. Returns the run '
'with the steps that are left; null: it has ended, and its outcome is recorded: succeeded, failed (the error is caught '
'and in the run, for raise_job_failure()), or skipped, if nothing was done because another run holds the lock of the '
'job or there is a waiting_reason(). A run that has ended stays as it is. as_of, batch_size, keep: as for the jobs; '
'what makes no sense fails the run (LP013, LP016). Internal: the jobs call it until no step is left, and commit after '
'each call.';
