-- The SQL is built as text, so that this installs where pg_cron is absent.
CREATE OR REPLACE FUNCTION lead_protection.schedule_jobs()
RETURNS TABLE (job_name text, schedule text, database text, username text, active boolean, command text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
-- pg_cron changes its tables behind functions that the check cannot see through.
-- @plpgsql_check_options: performance_warnings = off
DECLARE
    doubled text;
BEGIN
    EXECUTE lead_protection.schedule_jobs_sql(from_cron_database => false);
    FOR doubled IN SELECT f.fault FROM lead_protection.cron_faults() AS f LOOP
        RAISE WARNING '%', doubled
            USING HINT = 'Each run leaves as long as the other is at work, but one of the two roles should unschedule '
            'them.';
    END LOOP;
    RETURN QUERY EXECUTE
        'SELECT c.jobname::text, c.schedule, c.database, c.username, c.active, c.command
        FROM cron.job AS c INNER JOIN lead_protection.job_definitions AS d ON c.jobname = d.job_name
        WHERE c.username = CURRENT_USER ORDER BY c.jobid';
END;
$$;

COMMENT ON FUNCTION lead_protection.schedule_jobs() IS
'Schedules the jobs with pg_cron of this database, to run as the calling role, and returns them. Repeated: updates '
'them, nothing doubles. Errors: LP014 if pg_cron is not in this database (see schedule_jobs_sql()), LP015 if the role '
'has jobs of these names in another database, LP083 with the GRANT if it may not use pg_cron. A WARNING tells if '
'another role has scheduled the same jobs for this database, as far as that is shown.';
