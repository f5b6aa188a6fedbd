-- Only loops and commits: see run_protection_pipeline().
CREATE OR REPLACE PROCEDURE lead_protection.run_nightly_maintenance(keep interval DEFAULT INTERVAL '90 days')
LANGUAGE plpgsql
AS $$
DECLARE
    run_id bigint;
BEGIN
    run_id := lead_protection.start_job_run('lead-protection-nightly', keep => run_nightly_maintenance.keep);
    COMMIT;
    WHILE lead_protection.run_job_step(run_id) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
    PERFORM lead_protection.raise_job_failure(run_id);
END;
$$;

COMMENT ON PROCEDURE lead_protection.run_nightly_maintenance(interval) IS
'Job lead-protection-nightly: follows adopted tables, ends holds that have passed the limit of their policy, '
'announces those that will within 7 days, puts rows of adopted tables that are out of step into adoption_queue, '
'proves that every cached clock equals the rule, mends and logs those that do not (result.clocks_mended is the '
'drift), chains log rows that are older than the chain (result.log_rows_chained: leads), erases texts that policies '
'keep no longer (result.texts_erased: leads), proves the whole log by its chain (result.log_problems), proves that '
'each log row of the last 29 days has its event and publishes those that have none '
'(result.events_published), and deletes what is older than keep, at least 30 days: events that every registered '
'consumer has finished, job history, and the answers of bulk calls. Waits for no lead: one that another session holds '
'locked is left to the next night, and counted in result.skipped_locked.
Commits after each of them, so it must be called outside a transaction block (2D000 otherwise). One row in job_runs a '
'call. While there is a waiting_reason(), such as a pause, it leaves: outcome skipped, and the reason in '
'result.waiting. Repeated, it finds nothing left to do.
Errors: LP016 keep too short or longer than 1000 years, which is no run; whatever else fails is recorded in job_runs '
'and raised again.';
