CREATE OR REPLACE FUNCTION lead_protection.hides_rows(source oid, reader oid)
RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    c.relrowsecurity
    AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = hides_rows.reader AND (r.rolsuper OR r.rolbypassrls))
    AND (c.relforcerowsecurity OR NOT pg_has_role(hides_rows.reader, c.relowner, 'USAGE'))
    AND (
        -- A policy that plainly shows all; what another one shows, only its author knows.
        NOT EXISTS (
            SELECT
            FROM pg_policy AS p
            WHERE
                p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('r', '*')
                AND (p.polroles = '{0}' OR hides_rows.reader = ANY(p.polroles))
                AND pg_get_expr(p.polqual, p.polrelid) = 'true'
        )
        OR EXISTS (
            SELECT
            FROM pg_policy AS p
            WHERE
                p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd IN ('r', '*')
                AND (p.polroles = '{0}' OR hides_rows.reader = ANY(p.polroles))
        )
    )
FROM pg_class AS c
WHERE c.oid = hides_rows.source
$$;

COMMENT ON FUNCTION lead_protection.hides_rows(oid, oid) IS
'True if row level security may hide rows of the table from the role. Needs nothing else of this schema. Internal.';
