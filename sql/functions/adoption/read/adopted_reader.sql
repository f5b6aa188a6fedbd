CREATE OR REPLACE FUNCTION lead_protection.adopted_reader()
RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT p.proowner FROM pg_proc AS p WHERE p.oid = 'lead_protection.run_adopted_sql'::regproc
$$;

COMMENT ON FUNCTION lead_protection.adopted_reader() IS
'The role with whose rights adopted tables are read: lead_protection_reader, or, where that was missing when the code '
'was loaded, the owner of this schema. Internal.';
