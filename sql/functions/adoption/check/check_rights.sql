CREATE OR REPLACE FUNCTION lead_protection.check_rights(
    source regclass, reader oid, schema_owner oid, is_followed boolean
)
RETURNS TABLE (severity text, finding text, advice text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH given AS (
    SELECT
        c.oid, c.relkind, c.relnamespace::regnamespace AS nsp, c.oid::regclass AS source,
        check_rights.reader::regrole AS reader, check_rights.schema_owner::regrole AS schema_owner
    FROM pg_class AS c WHERE c.oid = check_rights.source
)

SELECT
    'problem', format('no USAGE on schema %s for %s', g.nsp, r.role),
    format('GRANT USAGE ON SCHEMA %s TO %s', g.nsp, r.role)
FROM given AS g
CROSS JOIN LATERAL (SELECT DISTINCT u.role FROM unnest(ARRAY[g.reader, g.schema_owner]) AS u (role)) AS r
WHERE
    NOT has_schema_privilege(r.role, g.nsp, 'USAGE')
    -- What it may give the reader, adopting gives.
    AND (r.role = g.schema_owner OR NOT has_schema_privilege(g.schema_owner, g.nsp, 'USAGE WITH GRANT OPTION'))
UNION ALL
SELECT
    'problem', format('no SELECT on the table for %s', g.reader),
    format('GRANT SELECT ON %s TO %s', g.source, g.reader)
FROM given AS g
WHERE
    NOT has_table_privilege(g.reader, g.oid, 'SELECT')
    AND NOT has_table_privilege(g.schema_owner, g.oid, 'SELECT WITH GRANT OPTION')
UNION ALL
SELECT
    'problem', format('no TRIGGER on the table for %s', g.schema_owner),
    format(
        'GRANT TRIGGER ON %s TO %s; it can be taken back once the table is adopted', g.source, g.schema_owner
    )
FROM given AS g
WHERE
    check_rights.is_followed AND g.relkind IN ('r', 'p') AND NOT has_table_privilege(g.schema_owner, g.oid, 'TRIGGER')
UNION ALL
SELECT
    'problem', format('row level security may hide rows from %s', g.reader),
    format(
        'Give it a policy that shows all rows: CREATE POLICY lead_protection_reads ON %s FOR SELECT TO %s '
        'USING (true)',
        g.source, g.reader
    )
FROM given AS g
WHERE lead_protection.hides_rows(g.oid, g.reader)
$$;

COMMENT ON FUNCTION lead_protection.check_rights(regclass, oid, oid, boolean) IS
'What rights are missing: of the role that is to read a table (see adopted_reader()), and of the owner of our schema, '
'who makes triggers on it if it is followed. Rows of severity, finding and advice, as check_source() gives them; none: '
'they have all. Needs hides_rows() only. Internal.';
