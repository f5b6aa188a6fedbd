CREATE OR REPLACE FUNCTION lead_protection.let_reader_read(source regclass, wanted boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
-- Names of roles, schemas and tables, quoted.
-- @plpgsql_check_options: security_warnings = off
DECLARE
    reader CONSTANT regrole := lead_protection.adopted_reader()::regrole;
    home CONSTANT regnamespace := (
        SELECT c.relnamespace::regnamespace FROM pg_class AS c WHERE c.oid = let_reader_read.source
    );
BEGIN
    IF
        -- The owner of this schema reads with its own rights.
        reader = (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'lead_protection')
        -- It may be adopted in another way, too.
        OR (
            NOT let_reader_read.wanted AND EXISTS (
                SELECT FROM lead_protection.adoptions AS a
                WHERE a.source_oid = let_reader_read.source AND a.disowned_at IS NULL
            )
        )
    THEN
        RETURN;
    END IF;
    IF has_table_privilege(let_reader_read.source, 'SELECT WITH GRANT OPTION') THEN
        EXECUTE format(
            CASE WHEN let_reader_read.wanted THEN 'GRANT SELECT ON %s TO %s' ELSE 'REVOKE SELECT ON %s FROM %s' END,
            let_reader_read.source, reader
        );
    END IF;
    IF
        has_schema_privilege(home, 'USAGE WITH GRANT OPTION')
        AND (
            let_reader_read.wanted
            OR NOT EXISTS (
                SELECT
                FROM lead_protection.adoptions AS a
                INNER JOIN pg_class AS c ON c.oid = a.source_oid
                WHERE a.disowned_at IS NULL AND c.relnamespace = home
            )
        )
    THEN
        EXECUTE format(
            CASE WHEN let_reader_read.wanted
                THEN 'GRANT USAGE ON SCHEMA %s TO %s' ELSE 'REVOKE USAGE ON SCHEMA %s FROM %s'
            END,
            home, reader
        );
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.let_reader_read(regclass, boolean) IS
'Gives the role that reads adopted tables the right to read this one, or takes it back, if the caller may; what the '
'caller may not, check_source() tells. Repeated: nothing changes. Internal.';
