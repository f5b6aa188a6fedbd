-- No object: says on every load how things stand where nothing would run by itself.
DO $tell$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pg_cron') THEN
        RAISE NOTICE 'pg_cron is not in database %: nothing is scheduled from here', pg_catalog.current_database()
            USING HINT = 'If pg_cron is in another database of this server: lead-protection schedule '
            '--cron-database NAME. Otherwise let any scheduler run the commands of lead_protection.job_definitions.';
    END IF;
END
$tell$;
