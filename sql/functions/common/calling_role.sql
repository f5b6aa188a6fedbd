CREATE OR REPLACE FUNCTION lead_protection.calling_role()
RETURNS name
LANGUAGE sql STABLE
-- CURRENT_USER is the owner where this is asked.
RETURN coalesce(nullif(current_setting('role'), 'none')::name, SESSION_USER);  -- noqa: CP03

COMMENT ON FUNCTION lead_protection.calling_role() IS
'The role that called a function which runs with the rights of its owner. Internal.';
