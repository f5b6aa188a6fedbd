-- pg_cron before 1.5 knows GMT only: no schedule here cares for the zone, local time is decided by the rule.
CREATE OR REPLACE VIEW lead_protection.job_definitions AS
SELECT
    j.job_name,
    j.schedule,
    j.command,
    j.in_cron_database,
    j.steps
FROM (
    VALUES
    (
        -- What was written to adopted tables goes first, for it may move dates; expiries before reminders, which
        -- then need not look at what has expired; and a reminder before a warning of the same lead.
        'lead-protection-reminders', '*/5 * * * *', 'CALL lead_protection.run_protection_pipeline()', false,
        ARRAY['adopted_rows', 'reactivations', 'expiries', 'reminders', 'warnings', 'log_sealed']
    ),
    (
        'lead-protection-follow', '* * * * *', 'CALL lead_protection.follow_adopted_tables()', false,
        ARRAY['adopted_rows']
    ),
    (
        -- Each step in transactions of its own: one that locks leads after another did would not lock them in the order
        -- of their ids.
        'lead-protection-nightly', '17 1 * * *', 'CALL lead_protection.run_nightly_maintenance()', false,
        ARRAY[
            'adopted_rows', 'holds_overrun', 'hold_limits_announced', 'adopted_rows_queued', 'clocks_mended',
            'log_rows_chained', 'texts_erased', 'log_problems', 'events_published', 'events_purged', 'job_runs_purged',
            'bulk_requests_purged'
        ]
    ),
    (
        -- pg_cron never deletes its history, and before 1.5 it leaves rows without an end.
        'lead-protection-cron-history', '47 1 * * *',
        'DELETE FROM cron.job_run_details WHERE command LIKE ''%lead_protection%'''
        ' AND COALESCE(end_time, start_time) < now() - INTERVAL ''90 days''', true, NULL
    )
) AS j (job_name, schedule, command, in_cron_database, steps);

COMMENT ON VIEW lead_protection.job_definitions IS
'The jobs and when they run: the one place. schedule_jobs() gives them to pg_cron. Without pg_cron any scheduler that '
'can run psql -c ''<command>'' will do for those that do not run in the cron database.';
COMMENT ON COLUMN lead_protection.job_definitions.job_name IS 'The job''s name, in pg_cron and in job_runs.';
COMMENT ON COLUMN lead_protection.job_definitions.schedule IS 'Cron schedule.';
COMMENT ON COLUMN lead_protection.job_definitions.command IS
'The one statement that the job runs, outside a transaction block.';
COMMENT ON COLUMN lead_protection.job_definitions.in_cron_database IS
'True: it tends pg_cron itself and runs in pg_cron''s database.';
COMMENT ON COLUMN lead_protection.job_definitions.steps IS
'What a run does, in this order; null: all is in its command.';
