-- SQL of the company's own runs as a role that may read the adopted tables and nothing else.
-- depends: 0056_preview_switch_on

DO $role$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'lead_protection_reader') THEN
        CREATE ROLE lead_protection_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role lead_protection_reader is missing and % may not create roles', CURRENT_USER
            USING HINT = 'Have it made with CREATE ROLE lead_protection_reader NOLOGIN, made a role of whoever owns the schema with GRANT lead_protection_reader TO …, then run apply again.';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database's apply made it this very moment
END
$role$;
