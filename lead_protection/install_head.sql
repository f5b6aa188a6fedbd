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
SELECT pg_catalog.set_config('lock_timeout', :'lock_timeout', false) AS lock_timeout \gset

-- Looks before anything is done: what is applied, and do that and this script go together?
DO $look$
DECLARE
    carried CONSTANT jsonb := '@CARRIED@';
    recorded jsonb := '{}';
    booked text[] := '{}';
    undone text[] := '{}';
    pending text[];
    wrong text;
BEGIN
    IF pg_catalog.current_setting('server_version_num')::integer < @OLDEST@0000 THEN
        RAISE EXCEPTION 'PostgreSQL @OLDEST@ or newer is needed' USING ERRCODE = 'feature_not_supported';
    END IF;
    IF NOT pg_catalog.pg_try_advisory_lock(@LOCK@) THEN
        RAISE EXCEPTION 'another apply or install.sql is at work in this database'
            USING ERRCODE = 'lock_not_available', HINT = 'Wait for it to end, then run the script again.';
    END IF;

    IF pg_catalog.to_regclass('lead_protection.migration_checksums') IS NOT NULL THEN
        EXECUTE $$SELECT coalesce(jsonb_object_agg(migration_id, sha256), '{}')
            FROM lead_protection.migration_checksums WHERE migration_id <> 'sql/'$$ INTO recorded;
    END IF;
    -- yoyo's books, where the command line or yoyo keeps them, tell more: a plain `yoyo rollback` leaves checksums behind.
    IF pg_catalog.to_regclass('_yoyo_migration') IS NOT NULL THEN
        EXECUTE $$SELECT coalesce(array_agg(migration_id::text), '{}') FROM _yoyo_migration$$ INTO booked;
        EXECUTE $$SELECT coalesce(array_agg(migration_id::text), '{}') FROM _yoyo_log WHERE operation = 'rollback'$$
            INTO undone;
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

SELECT
    pg_catalog.to_regclass('_yoyo_migration') IS NOT NULL AS has_yoyo,
    (
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
        WHERE c.oid = pg_catalog.to_regclass('_yoyo_migration')
    ) AS yoyo_table,
    -- A DBA made the schema for a role that may make none.
    pg_catalog.to_regnamespace('lead_protection') IS NULL AS no_schema
\gset
