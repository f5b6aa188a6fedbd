-- Only loops and commits. A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is
-- qualified, and the work of each transaction is in functions.
CREATE OR REPLACE PROCEDURE lead_protection.run_protection_pipeline(
    as_of timestamptz DEFAULT NULL, batch_size integer DEFAULT 1000
)
LANGUAGE plpgsql
AS $$
DECLARE
    job lead_protection.job_progress;
BEGIN
    -- Rows of adopted tables that wait go first, for they may move dates; expiries before reminders, which then need
    -- not look at what has expired.
    job := lead_protection.start_job_run(
        'lead-protection-reminders', ARRAY['adopted_rows', 'reactivations', 'expiries', 'reminders'],
        '{"adopted_rows": 0, "reactivations": 0, "expiries": 0, "reminders": 0}'
    );
    COMMIT;
    WHILE job.steps IS NOT NULL LOOP
        job := lead_protection.run_job_step(
            job, as_of => run_protection_pipeline.as_of, batch_size => run_protection_pipeline.batch_size
        );
        COMMIT;
    END LOOP;

    -- After all that counts, and whatever becomes of it: the run has ended as it has.
    PERFORM lead_protection.try_refresh_metrics();
    COMMIT;
    PERFORM lead_protection.raise_job_failure(job);
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
