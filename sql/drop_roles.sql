-- What a superuser does last, so that nothing of Lead Protection is left: the other way round from roles.sql. A psql
-- script; it may be run again. Before it: unschedule, disown, `lead-protection rollback --all`.
--
-- Where pg_cron lives in another database of the server, there first, for the job role only:
--     psql -X -v jobs=crm_jobs -f drop_roles.sql postgres
-- In the database that had Lead Protection:
--     psql -X -v owner=crm_owner -v jobs=crm_jobs -f drop_roles.sql crm
--
-- It takes back what roles.sql has given, and drops the roles. A role that owns something, or has rights here or
-- elsewhere, stays as it is, and a notice says why. Whether a role was there before roles.sql nobody knows any more:
-- name only those that are to go.
\set ON_ERROR_STOP on
\if :{?owner}
\else
\if :{?jobs}
\else
\warn 'drop_roles.sql: name the owner, the job role or both: -v owner=NAME -v jobs=NAME'
DO $$ BEGIN RAISE EXCEPTION 'no role was named' USING ERRCODE = 'invalid_parameter_value'; END $$;
\endif
\set owner ''
\endif
\if :{?jobs}
\else
\set jobs ''
\endif

BEGIN;
-- A superuser runs this: only PostgreSQL's own functions and operators are meant.
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT
    pg_catalog.set_config('lead_protection.drop_owner', :'owner', true) AS owner,
    pg_catalog.set_config('lead_protection.drop_jobs', :'jobs', true) AS jobs
\gset

DO $drop$
DECLARE
    owner CONSTANT name := nullif(pg_catalog.current_setting('lead_protection.drop_owner'), '');
    jobs CONSTANT name := nullif(pg_catalog.current_setting('lead_protection.drop_jobs'), '');
    books name;
    others boolean;
    command text;
    dropped name;
    reason text;
    scheduled text;
BEGIN
    IF pg_catalog.to_regnamespace('lead_protection') IS NOT NULL THEN
        RAISE EXCEPTION 'schema lead_protection is still in this database' USING
            ERRCODE = 'object_in_use',
            HINT = 'lead-protection rollback --all';
    END IF;
    IF pg_catalog.to_regclass('cron.job') IS NOT NULL THEN
        -- pg_cron 1.4 runs nothing at all any more once a job's role is gone.
        EXECUTE 'SELECT string_agg(jobname, '', '' ORDER BY jobname) FROM cron.job WHERE username IN ($1, $2)'
        INTO scheduled USING owner, jobs;
        IF scheduled IS NOT NULL THEN
            RAISE EXCEPTION 'a role to be dropped still has jobs: %', scheduled USING
                ERRCODE = 'object_in_use',
                HINT = 'lead-protection unschedule, as the role that scheduled them; others with cron.unschedule().';
        END IF;
        EXECUTE 'DELETE FROM cron.job_run_details WHERE username IN ($1, $2) AND command LIKE ''%lead_protection%'''
        USING owner, jobs;
    END IF;

    -- yoyo's books, unless another program keeps its own there, and the schema that was made for them.
    FOR books IN
        SELECT n.nspname FROM pg_catalog.pg_namespace AS n
        INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
        WHERE
            -- No view: a superuser would run the owner's code.
            c.relname = '_yoyo_migration' AND c.relkind = 'r'
            AND c.relowner = pg_catalog.to_regrole(pg_catalog.quote_ident(owner))
    LOOP
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %I._yoyo_migration)', books) INTO others;
        IF others THEN
            RAISE NOTICE 'schema % keeps yoyo''s tables: they have migrations of another program', books;
        ELSE
            EXECUTE pg_catalog.format(
                'DROP TABLE %1$I._yoyo_migration, %1$I._yoyo_log, %1$I._yoyo_version; DROP TABLE IF EXISTS %1$I.yoyo_lock',
                books
            );
        END IF;
    END LOOP;
    FOR command IN
        SELECT pg_catalog.format('DROP SCHEMA %I', n.nspname) FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = owner AND n.nspowner = pg_catalog.to_regrole(pg_catalog.quote_ident(owner))
    LOOP
        BEGIN
            EXECUTE command;
        EXCEPTION WHEN dependent_objects_still_exist THEN
            GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
            RAISE NOTICE 'schema % stays: %', owner, reason;
        END;
    END LOOP;

    FOR command IN
        SELECT pg_catalog.format(g.command, pg_catalog.current_database(), r.rolname)
        FROM pg_catalog.pg_roles AS r
        INNER JOIN (
            VALUES
            (owner, 'REVOKE CONNECT, CREATE ON DATABASE %1$I FROM %2$I', NULL),
            (owner, 'REVOKE lead_protection_reader FROM %2$I', 'lead_protection_reader'),
            (jobs, 'REVOKE CONNECT ON DATABASE %1$I FROM %2$I', NULL),
            (jobs, 'REVOKE lead_protection_jobs FROM %2$I', 'lead_protection_jobs'),
            (jobs, 'REVOKE USAGE ON SCHEMA cron FROM %2$I', 'cron'),
            (jobs, 'REVOKE EXECUTE ON FUNCTION cron.schedule_in_database FROM %2$I', 'cron')
        ) AS g (role_name, command, of_it) ON r.rolname = g.role_name
        WHERE
            g.of_it IS NULL
            OR CASE g.of_it
                WHEN 'cron' THEN EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pg_cron')
                ELSE pg_catalog.to_regrole(g.of_it) IS NOT NULL
            END
    LOOP
        EXECUTE command;
    END LOOP;

    FOR dropped IN
        SELECT r.rolname FROM pg_catalog.pg_roles AS r
        WHERE r.rolname IN (
            owner, jobs, 'lead_protection_app', 'lead_protection_operator', 'lead_protection_monitor',
            'lead_protection_jobs', 'lead_protection_consumer', 'lead_protection_reader',
            'lead_protection_privacy'
        )
        ORDER BY r.rolname
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP ROLE %I', dropped);
        EXCEPTION WHEN dependent_objects_still_exist OR object_in_use THEN
            GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
            RAISE NOTICE 'role % stays: %', dropped, coalesce(nullif(reason, ''), SQLERRM);
        END;
    END LOOP;
END
$drop$;

COMMIT;
