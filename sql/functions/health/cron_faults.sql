-- pg_cron's tables may be here, elsewhere or nowhere: so its SQL is text.
CREATE OR REPLACE FUNCTION lead_protection.cron_faults()
RETURNS TABLE (severity integer, fault text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- pg_cron may not be here: its SQL cannot be static.
-- @plpgsql_check_options: extra_warnings = off, performance_warnings = off
BEGIN
    -- Not by to_regclass(), which refuses whoever may not use the schema.
    IF
        NOT EXISTS (
            SELECT
            FROM pg_class AS c
            INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
            WHERE
                n.nspname = 'cron' AND c.relname = 'job'
                AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        )
    THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE
        $query$
        SELECT 2, format('job %s (%s) belongs to role %s, which is gone', c.jobid, c.jobname, c.username)
        FROM cron.job AS c
        WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = c.username)
        UNION ALL
        SELECT 1, format('%s is scheduled by %s', c.jobname, string_agg(c.username, ' and by ' ORDER BY c.username))
        FROM cron.job AS c
        INNER JOIN lead_protection.job_definitions AS d ON c.jobname = d.job_name AND NOT d.in_cron_database
        WHERE c.database = current_database() AND c.active
        GROUP BY c.jobname
        HAVING count(*) > 1
        $query$;
END;
$$;

COMMENT ON FUNCTION lead_protection.cron_faults() IS
'What is wrong with the jobs in pg_cron, as far as the owner of this schema may see: 2: a job whose role was dropped, '
'which stops the launcher of pg_cron 1.4 for all jobs of the cluster; 1: two roles have scheduled the same job. No '
'row: nothing, or pg_cron is not in this database, or shows the owner its own jobs only. Internal: health asks it.';
