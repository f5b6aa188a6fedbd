CREATE OR REPLACE FUNCTION lead_protection.caller_reads_log()
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- CURRENT_USER is the owner in here.
RETURN has_table_privilege(
    coalesce(nullif(current_setting('role'), 'none')::name, SESSION_USER),  -- noqa: CP03
    'lead_protection.protection_log', 'SELECT'
);

COMMENT ON FUNCTION lead_protection.caller_reads_log() IS
'Whether the role that called may read protection_log, and with it the reasons that others gave. Internal.';
