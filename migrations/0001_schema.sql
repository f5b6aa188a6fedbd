-- The schema, its group roles, and the fingerprints of applied migrations.
-- depends:

CREATE SCHEMA lead_protection;

COMMENT ON SCHEMA lead_protection IS
'Lead Protection: protects a sales lead for the user who brought it in. Facts (leads, lead_holds, protection_policies) go in, lead_clocks is derived, pg_cron sends what falls due. Start reading at v_user_lead_protection.';

-- Roles belong to the whole server, so they outlive a rollback and may be there already: another
-- database of this server may use them, or a DBA made them because we may not.
DO $roles$
DECLARE
    group_role text;
BEGIN
    FOREACH group_role IN ARRAY ARRAY[
        'lead_protection_app',
        'lead_protection_operator',
        'lead_protection_monitor',
        'lead_protection_jobs'
    ] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = group_role) THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', group_role);
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is missing and % may not create roles', group_role, CURRENT_USER
                    USING HINT = pg_catalog.format('Have it made with CREATE ROLE %I NOLOGIN, then run apply again: it grants the rights.', group_role);
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database's apply made it this very moment
        END;
    END LOOP;
END
$roles$;

CREATE TABLE lead_protection.migration_checksums (
    migration_id text CONSTRAINT migration_checksums_pkey PRIMARY KEY,
    sha256 text NOT NULL CONSTRAINT migration_checksums_sha256_hex CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    recorded_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE lead_protection.migration_checksums IS
'The content of each migration as it was applied. yoyo knows a migration by its file name only; this is how apply refuses one that was edited afterwards.';
COMMENT ON COLUMN lead_protection.migration_checksums.migration_id IS 'File name without .sql; sql/ stands for the code that was loaded last.';
COMMENT ON COLUMN lead_protection.migration_checksums.sha256 IS 'SHA-256 of the file, in hexadecimal.';
COMMENT ON COLUMN lead_protection.migration_checksums.recorded_at IS 'When the fingerprint was taken.';
