-- Gives run_adopted_sql() to the role that may read adopted tables and nothing else. Without that role, or where
-- whoever loads this is no member of it, the function stays the owner's, which `lead-protection status` tells.
DO $reader$
DECLARE
    runner CONSTANT regprocedure := 'lead_protection.run_adopted_sql(text, text[], text, bigint, text[], text)';
    owner CONSTANT regrole := (
        SELECT n.nspowner FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname OPERATOR(pg_catalog.=) 'lead_protection'
    );
    reader CONSTANT regrole := pg_catalog.to_regrole('lead_protection_reader');
BEGIN
    IF reader IS NOT NULL AND pg_catalog.pg_has_role(reader, 'USAGE') THEN
        -- Only whoever may make things in a schema may be given something there; it may not any more afterwards.
        EXECUTE pg_catalog.format('GRANT CREATE ON SCHEMA lead_protection TO %s', reader);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %s', runner, reader);
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA lead_protection FROM %s', reader);
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', runner);
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', runner, owner);
    ELSE
        RAISE NOTICE 'SQL of adopted tables runs with the rights of %', owner
            USING HINT = 'Have a superuser run sql/roles.sql (lead-protection sql --roles), then run apply again.';
    END IF;
END
$reader$;
