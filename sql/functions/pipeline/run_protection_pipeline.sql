-- Only loops and commits. A procedure that commits can carry no SET clause and be no SECURITY DEFINER: it runs under
-- the path and with the rights of whoever calls it. So it has no operator and no cast, every name is qualified, and the
-- work of each transaction is in functions.
CREATE OR REPLACE PROCEDURE lead_protection.run_protection_pipeline(batch_size integer DEFAULT 1000)
LANGUAGE plpgsql
AS $$
DECLARE
    run_id bigint;
BEGIN
    run_id := lead_protection.start_job_run('lead-protection-reminders', run_protection_pipeline.batch_size);
    COMMIT;
    WHILE lead_protection.run_job_step(run_id) LOOP
        COMMIT;
    END LOOP;
    COMMIT;

    -- After all that counts, and whatever becomes of it: the run has ended as it has.
    PERFORM lead_protection.try_refresh_metrics();
    COMMIT;
    PERFORM lead_protection.raise_job_failure(run_id);
END;
$$;

COMMENT ON PROCEDURE lead_protection.run_protection_pipeline(integer) IS
'Job lead-protection-reminders: follows what was written to adopted tables, records reactivations and expiries until '
'none is left, and sends the reminders that are due, the longest due first, as many as configure_reminders() allows '
'for one run and each user; the next runs send the rest; then the early warnings of policies that have any; last it '
'seals what is new in the log. batch_size: leads of each kind in one transaction. A lead that another session holds '
'locked is passed over and left to the next run: result.skipped_locked counts them, passed_over_leads has them.
Commits after each batch, so it must be called outside a transaction block (2D000 otherwise). One row in job_runs a '
'call. At its end it refreshes the metrics; if that fails, the run has succeeded all the same, with a warning and a '
'row of its own, lead-protection-metrics. Level-triggered: what a missed run left is done by the next. While there is '
'a waiting_reason(), such as a pause, it leaves: outcome skipped, and the reason in result.waiting. Repeated, or '
'twice at once, it sends nothing twice.
Errors: LP016 batch_size below 1, which is no run; whatever else fails is recorded in job_runs and raised again.';
