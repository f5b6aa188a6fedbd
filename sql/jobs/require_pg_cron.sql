CREATE OR REPLACE FUNCTION lead_protection.require_pg_cron()
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not in database %', current_database()
            USING ERRCODE = 'LP014',
            DETAIL = 'pg_cron lives in one database of a server, the one that cron.database_name names.',
            HINT = 'Run there what lead_protection.schedule_jobs_sql() or unschedule_jobs_sql() returns (lead-protection schedule --cron-database NAME does so), or let another scheduler run the commands of lead_protection.job_definitions.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_pg_cron() IS
'Raises LP014, with what to do, if the extension pg_cron is not in this database.';
