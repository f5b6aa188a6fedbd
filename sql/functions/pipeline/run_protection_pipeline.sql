-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.run_protection_pipeline(
    as_of timestamptz DEFAULT NULL, batch_size integer DEFAULT 1000
)
LANGUAGE plpgsql
AS $$
DECLARE
    job_name CONSTANT text := 'lead-protection-reminders';
    begun_at CONSTANT timestamptz := pg_catalog.clock_timestamp();
    run_id bigint;
    step text;
    handled bigint;
    waiting bigint [];
    result jsonb := pg_catalog.jsonb_build_object(
        'adopted_rows', 0, 'reactivations', 0, 'expiries', 0, 'reminders', 0
    );
    outcome text := 'skipped';
    waits_for text;
    error_state text;
    error_message text;
    error_detail text;
    error_hint text;
BEGIN
    run_id := lead_protection.start_job_run(job_name);
    COMMIT;

    -- Whoever holds the lock does the work of all: a run that does not get it leaves. Rows of adopted tables that wait go
    -- first, for they may move dates; expiries before reminders, which then need not look at what has expired.
    <<steps>>
    FOREACH step IN ARRAY ARRAY['adopted_rows', 'reactivations', 'expiries', 'reminders'] LOOP
        LOOP
            EXIT steps WHEN NOT lead_protection.try_job_lock(job_name);
            waits_for := lead_protection.waiting_reason();
            EXIT steps WHEN waits_for IS NOT NULL;
            BEGIN
                IF step = 'reminders' THEN
                    waiting := coalesce(
                        waiting, lead_protection.reminders_to_send(coalesce(as_of, pg_catalog.clock_timestamp()))
                    );
                    handled := lead_protection.send_due_reminders(waiting[1:batch_size], as_of);
                    waiting := waiting[batch_size + 1:];
                ELSE
                    handled := CASE step
                        WHEN 'adopted_rows' THEN lead_protection.retry_adoption_queue(begun_at, batch_size)
                        WHEN 'reactivations' THEN lead_protection.record_reactivations(as_of, batch_size)
                        ELSE lead_protection.record_expiries(as_of, batch_size)
                    END;
                END IF;
                result := pg_catalog.jsonb_set(
                    result, ARRAY[step], pg_catalog.to_jsonb((result ->> step)::bigint + handled)
                );
                PERFORM lead_protection.update_job_run(run_id, result);
                outcome := 'succeeded';
            EXCEPTION
                WHEN query_canceled OR OTHERS THEN
                    outcome := 'failed';
                    GET STACKED DIAGNOSTICS
                        error_state = RETURNED_SQLSTATE, error_message = MESSAGE_TEXT,
                        error_detail = PG_EXCEPTION_DETAIL, error_hint = PG_EXCEPTION_HINT;
            END;
            EXIT steps WHEN outcome = 'failed';
            COMMIT;
            EXIT WHEN CASE step WHEN 'reminders' THEN waiting = '{}' ELSE handled = 0 END;
        END LOOP;
    END LOOP;

    IF waits_for IS NOT NULL THEN
        result := CASE outcome WHEN 'skipped' THEN '{}' ELSE result END
        || pg_catalog.jsonb_build_object('waiting', waits_for);
    END IF;
    PERFORM lead_protection.update_job_run(run_id, result, outcome, error_state || ': ' || error_message);
    COMMIT;

    -- After all that counts, and whatever becomes of it: the run has ended as it has.
    BEGIN
        PERFORM lead_protection.refresh_metrics();
    EXCEPTION
        WHEN query_canceled OR OTHERS THEN
            RAISE WARNING 'the metrics were not refreshed: %: %', SQLSTATE, SQLERRM;
            PERFORM lead_protection.update_job_run(
                lead_protection.start_job_run('lead-protection-metrics'), '{}', 'failed', SQLSTATE || ': ' || SQLERRM
            );
    END;
    COMMIT;
    IF outcome = 'failed' THEN
        RAISE EXCEPTION USING ERRCODE = error_state, MESSAGE = error_message,
            DETAIL = pg_catalog.concat_ws(
                E'\n', nullif(error_detail, ''),
                pg_catalog.format('Run %s of job %s failed; what it had committed before stands.', run_id, job_name)
            ),
            HINT = coalesce(nullif(error_hint, ''), 'Mend the cause; the next run catches up by itself.');
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.run_protection_pipeline(timestamptz, integer) IS
'Job lead-protection-reminders: tries rows of adopted tables again that could not be followed, records reactivations '
'and expiries until none is left at as_of, and sends the reminders that are due at or before it, the longest due '
'first, as many as configure_reminders() allows for one run and each user; the next runs send the rest. as_of null '
'(the default): now, taken anew for each batch; given: an instant in the past, for drills: what is sent bears that '
'instant. batch_size: leads of each kind in one transaction.
Commits after each batch, so it must be called outside a transaction block (2D000 otherwise). One row in job_runs a '
'call. At its end it refreshes the metrics; if that fails, the run has succeeded all the same, with a warning and a '
'row of its own, lead-protection-metrics. Level-triggered: what a missed run left is done by the next. While there is '
'a waiting_reason(), such as a pause, it leaves: outcome skipped, and the reason in result.waiting. Repeated, or twice '
'at once, it sends nothing twice.
Errors: LP013 as_of in the future or infinite, LP016 batch_size below 1; whatever else fails is recorded in job_runs '
'and raised again.';
