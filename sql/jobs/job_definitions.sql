-- pg_cron before 1.5 knows GMT only: no schedule here cares for the zone, local time is decided by the rule.
CREATE OR REPLACE VIEW lead_protection.job_definitions AS
SELECT
    j.job_name,
    j.schedule,
    j.command,
    j.in_cron_database
FROM (
    VALUES
    ('lead-protection-reminders', '*/5 * * * *', 'CALL lead_protection.run_protection_pipeline()', false),
    ('lead-protection-nightly', '17 1 * * *', 'CALL lead_protection.run_nightly_maintenance()', false),
    (
        -- pg_cron never deletes its history, and before 1.5 it leaves rows without an end.
        'lead-protection-cron-history', '47 1 * * *',
        'DELETE FROM cron.job_run_details WHERE command LIKE ''%lead_protection%'''
        ' AND COALESCE(end_time, start_time) < now() - INTERVAL ''90 days''', true
    )
) AS j (job_name, schedule, command, in_cron_database);

COMMENT ON VIEW lead_protection.job_definitions IS
'The jobs and when they run: the one place. schedule_jobs() gives them to pg_cron. Without pg_cron any scheduler that '
'can run psql -c ''<command>'' will do for those that do not run in the cron database.';
COMMENT ON COLUMN lead_protection.job_definitions.job_name IS 'The job''s name, in pg_cron and in job_runs.';
COMMENT ON COLUMN lead_protection.job_definitions.schedule IS 'Cron schedule.';
COMMENT ON COLUMN lead_protection.job_definitions.command IS
'The one statement that the job runs, outside a transaction block.';
COMMENT ON COLUMN lead_protection.job_definitions.in_cron_database IS
'True: it tends pg_cron itself and runs in pg_cron''s database.';
