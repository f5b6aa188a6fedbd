-- Only loops and commits: see run_protection_pipeline().
CREATE OR REPLACE PROCEDURE lead_protection.run_nightly_maintenance(keep interval DEFAULT INTERVAL '90 days')
LANGUAGE plpgsql
AS $$
DECLARE
    job lead_protection.job_progress;
BEGIN
    job := lead_protection.start_job_run(
        'lead-protection-nightly',
        ARRAY[
            'holds_overrun', 'hold_limits_announced', 'adopted_rows_queued', 'clocks_mended', 'events_purged',
            'job_runs_purged'
        ]
    );
    COMMIT;
    -- A transaction for each step: one that locks leads after another did would not lock them in the order of their
    -- ids.
    WHILE job.steps IS NOT NULL LOOP
        job := lead_protection.run_job_step(job, keep => run_nightly_maintenance.keep);
        COMMIT;
    END LOOP;
    PERFORM lead_protection.raise_job_failure(job);
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
