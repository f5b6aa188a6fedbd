CREATE OR REPLACE FUNCTION lead_protection.schedule_jobs_sql(from_cron_database boolean DEFAULT true)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
SELECT
    format(
        $guard$DO $$
DECLARE
    taken text;
BEGIN
    IF to_regnamespace('cron') IS NULL THEN
        RAISE EXCEPTION 'pg_cron is not in database %%', current_database()
            USING ERRCODE = 'LP014',
            DETAIL = 'pg_cron lives in one database of a server, the one that cron.database_name names.',
            HINT = 'Run there, after CREATE EXTENSION pg_cron, what lead_protection.schedule_jobs_sql() returns '
            '(lead-protection schedule --cron-database NAME does so), or let another scheduler run the commands of '
            'lead_protection.job_definitions.';
    END IF;
%3$s    SELECT string_agg(format('%%s in database %%s', jobname, database), ', ') INTO taken
    FROM cron.job
    WHERE username = CURRENT_USER AND database <> %1$L AND jobname = ANY (%2$L::text[]);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'role %% has these jobs already: %%', CURRENT_USER, taken
            USING ERRCODE = 'LP015',
            DETAIL = format('pg_cron knows a job by its name and role, and would move it to database %%s.', %1$L),
            HINT = 'Schedule as another role, one for each database, or unschedule the others first.';
    END IF;
END $$;
$guard$,
        current_database(), array_agg(j.job_name) FILTER (WHERE NOT j.in_cron_database),
        CASE WHEN schedule_jobs_sql.from_cron_database
            THEN lead_protection.require_cron_rights_sql(
                'cron.schedule_in_database(text, text, text, text, text, boolean)'
            )
            ELSE lead_protection.require_cron_rights_sql(NULL)
        END
    )
    || string_agg(
        CASE
            -- pg_cron leaves it to the admin to grant schedule_in_database: do not need it where schedule will do.
            WHEN j.in_cron_database OR NOT schedule_jobs_sql.from_cron_database
                THEN format(E'SELECT cron.schedule(%L, %L, %L);\n', j.job_name, j.schedule, j.command)
            ELSE format(
                E'SELECT cron.schedule_in_database(%L, %L, %L, %L);\n',
                j.job_name, j.schedule, j.command, current_database()
            )
        END,
        '' ORDER BY j.in_cron_database, j.job_name
    )
    || format(
        E'SELECT jobname, schedule, database, username, active, command FROM cron.job\n'
        'WHERE username = CURRENT_USER AND jobname = ANY (%L::text[]) ORDER BY jobid;\n',
        array_agg(j.job_name)
    )
FROM lead_protection.job_definitions AS j
$body$;

COMMENT ON FUNCTION lead_protection.schedule_jobs_sql(boolean) IS
'For pg_cron in another database: returns the SQL that schedules the jobs of this database, to be run in pg_cron''s '
'database, in one transaction, by the role that is to run the jobs. from_cron_database false: the SQL for pg_cron in '
'this database, which schedule_jobs() runs. Changes nothing itself. The SQL may be run again: pg_cron updates the '
'jobs. It raises LP014 where pg_cron is not, LP083 with the GRANT if the role may not schedule, and LP015 if it has '
'jobs of these names in another database.';
