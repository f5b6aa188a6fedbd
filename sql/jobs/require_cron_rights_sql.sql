-- As text, for it runs where pg_cron is, which may be another database.
CREATE OR REPLACE FUNCTION lead_protection.require_cron_rights_sql(routine text)
RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $body$
SELECT
    format(
        $sql$    IF NOT has_schema_privilege('cron', 'USAGE') THEN
        RAISE EXCEPTION 'role %% may not use pg_cron', CURRENT_USER
            USING ERRCODE = 'LP083',
            DETAIL = format('It has no right to use schema cron in database %%s.', current_database()),
            HINT = format('As a superuser, in that database: GRANT USAGE ON SCHEMA cron TO %%I;', CURRENT_USER);
    END IF;
%s$sql$,
        CASE WHEN require_cron_rights_sql.routine IS NOT NULL THEN format(
            $sql$    IF NOT coalesce(has_function_privilege(to_regprocedure(%1$L)::oid, 'EXECUTE'), true) THEN
        RAISE EXCEPTION 'role %% may not schedule jobs for other databases', CURRENT_USER
            USING ERRCODE = 'LP083',
            DETAIL = format('It may not call %%s in database %%s.', %1$L, current_database()),
            HINT = format(
                'As a superuser, in that database: GRANT EXECUTE ON FUNCTION %%s TO %%I;', %1$L, CURRENT_USER
            );
    END IF;
$sql$, require_cron_rights_sql.routine
        ) END
    )
$body$;

COMMENT ON FUNCTION lead_protection.require_cron_rights_sql(text) IS
'Statements of PL/pgSQL that raise LP083, with the GRANT that is missing, where the current role may not use pg_cron, '
'or call that routine of it (null: none). Internal.';
