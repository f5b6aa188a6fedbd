CREATE OR REPLACE FUNCTION lead_protection.unschedule_jobs()
RETURNS TABLE (job_name text, unscheduled boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
-- pg_cron changes its tables behind functions that the check cannot see through.
-- @plpgsql_check_options: performance_warnings = off, extra_warnings = off
BEGIN
    IF to_regnamespace('cron') IS NULL THEN
        RAISE EXCEPTION 'pg_cron is not in database %', current_database()
            USING ERRCODE = 'LP014',
            DETAIL = 'pg_cron lives in one database of a server, the one that cron.database_name names.',
            HINT = 'Run there what lead_protection.unschedule_jobs_sql() returns (lead-protection unschedule '
            '--cron-database NAME does so).';
    END IF;
    EXECUTE format('DO %L', 'BEGIN ' || lead_protection.require_cron_rights_sql(NULL) || ' END');
    RETURN QUERY EXECUTE format(
        'SELECT u.jobname::text, u.unscheduled FROM (%s) AS u',
        rtrim(lead_protection.unschedule_jobs_sql(), E';\n')
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.unschedule_jobs() IS
'Removes the calling role''s jobs from pg_cron of this database and returns their names. Repeated: no rows, nothing '
'happens. A run under way is not stopped. Errors: LP014 if pg_cron is not in this database (see '
'unschedule_jobs_sql()), LP083 with the GRANT if the role may not use pg_cron.';
