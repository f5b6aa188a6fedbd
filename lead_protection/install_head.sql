-- Lead Protection @VERSION@: installs into an empty database and upgrades an older one, with nothing but psql.
--     psql -X -q -f install.sql DATABASE
-- As the role that owns it, or will. It may be run again: then it applies what is pending and loads the code anew.
-- @TRANSACTIONS@
-- A lock that is not to be had within 3 seconds stops it; run it again. Longer: -v lock_timeout=10s
\set ON_ERROR_STOP on
\encoding UTF8
\if :{?lock_timeout}
\else
\set lock_timeout 3s
\endif
-- From here on PostgreSQL's own functions, operators and types are meant, whatever the path of the session offers. Where
-- yoyo's tables are is looked up by that path, before.
SELECT
    coalesce(pg_catalog.to_regclass('_yoyo_migration')::pg_catalog.oid, 0) AS yoyo_oid,
    coalesce(pg_catalog.to_regclass('_yoyo_log')::pg_catalog.oid, 0) AS yoyo_log_oid,
    pg_catalog.set_config('search_path', '@PATH@', false) AS search_path
\gset
SELECT
    set_config('lock_timeout', :'lock_timeout', false) AS lock_timeout,
    -- With their schema, which the path has no more; - where there is none.
    set_config('lead_protection.books', :yoyo_oid::regclass::text, false) AS yoyo_table,
    set_config('lead_protection.log', :yoyo_log_oid::regclass::text, false) AS yoyo_log,
    :yoyo_oid <> 0 AS has_yoyo,
    -- A DBA made the schema for a role that may make none.
    to_regnamespace('lead_protection') IS NULL AS no_schema
\gset

-- Looks before anything is done: what is applied, and do that and this script go together?
DO $look$
DECLARE
    carried CONSTANT jsonb := '@CARRIED@';
    recorded jsonb := '{}';
    booked text[] := '{}';
    undone text[] := '{}';
    pending text[];
    wrong text;
    waits CONSTANT text := current_setting('lock_timeout');
BEGIN
    IF pg_catalog.current_setting('server_version_num')::integer < @OLDEST@0000 THEN
        RAISE EXCEPTION 'PostgreSQL @OLDEST@ or newer is needed' USING ERRCODE = 'feature_not_supported';
    END IF;
    IF pg_catalog.to_regclass('@LOCKED@') IS NOT NULL THEN
        -- An autovacuum of the table has it for a moment, and gives way to whoever waits.
        PERFORM set_config('lock_timeout', '3s', true);
        BEGIN
            LOCK TABLE @LOCKED@ IN SHARE UPDATE EXCLUSIVE MODE;
        EXCEPTION
            WHEN lock_not_available THEN
                RAISE EXCEPTION 'another apply or install.sql is at work in this database'
                    USING ERRCODE = 'lock_not_available', HINT = 'Wait for it to end, then run the script again.';
        END;
        PERFORM set_config('lock_timeout', waits, true);
        EXECUTE $$SELECT coalesce(jsonb_object_agg(migration_id, sha256), '{}')
            FROM lead_protection.migration_checksums WHERE migration_id <> 'sql/'$$ INTO recorded;
    END IF;
    -- yoyo's books, where the command line or yoyo keeps them, tell more: a plain `yoyo rollback` leaves checksums behind.
    IF current_setting('lead_protection.books') <> '-' THEN
        EXECUTE format(
            'SELECT coalesce(array_agg(migration_id::text), ''{}'') FROM %s', current_setting('lead_protection.books')
        ) INTO booked;
        EXECUTE format(
            'SELECT coalesce(array_agg(migration_id::text), ''{}'') FROM %s WHERE operation = ''rollback''',
            current_setting('lead_protection.log')
        ) INTO undone;
    END IF;

    SELECT array_agg(k) INTO pending
    FROM jsonb_object_keys(carried) AS k
    WHERE k <> ALL (booked) AND (NOT recorded ? k OR k = ANY (undone));

    SELECT string_agg(k, ', ' ORDER BY k) INTO wrong
    FROM jsonb_object_keys(recorded) AS k
    WHERE NOT carried ? k AND (k = ANY (booked) OR k <> ALL (undone));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the database has migrations that this script does not carry: %', wrong
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'It was installed by a newer version; use that version''s script or a later one.';
    END IF;

    SELECT string_agg(k, ', ' ORDER BY k) INTO wrong
    FROM jsonb_object_keys(carried) AS k
    WHERE k <> ALL (coalesce(pending, '{}')) AND recorded ->> k <> carried ->> k;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'applied migrations were edited since: %', wrong
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Use the script as it was released; a change belongs into a new migration.';
    END IF;

    PERFORM set_config('lead_protection.pending', array_to_string(pending, ','), false);
END
$look$;
