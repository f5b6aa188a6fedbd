CREATE OR REPLACE FUNCTION lead_protection.unschedule_jobs_sql()
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    format(
        E'SELECT jobname, cron.unschedule(jobid) AS unscheduled FROM cron.job AS j\n'
        'WHERE username = CURRENT_USER AND jobname = ANY (%1$L::text[])\n'
        -- A role's jobs serve one database: leave them alone if it is not this one.
        '    AND NOT EXISTS (SELECT FROM cron.job AS o WHERE o.username = CURRENT_USER\n'
        '        AND o.jobname = ANY (%2$L::text[]) AND o.database <> %3$L);\n',
        array_agg(j.job_name), array_agg(j.job_name) FILTER (WHERE NOT j.in_cron_database), current_database()
    )
FROM lead_protection.job_definitions AS j
$$;

COMMENT ON FUNCTION lead_protection.unschedule_jobs_sql() IS
'For pg_cron in another database: returns the SQL that unschedules the jobs of this database, to be run in pg_cron''s '
'database by the role that scheduled them. Changes nothing itself. The SQL may be run again: it then finds nothing to '
'do.';
