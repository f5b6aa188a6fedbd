CREATE OR REPLACE FUNCTION lead_protection.catalog_of_node()
RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH rights AS (
    SELECT s.object, jsonb_agg(DISTINCT s.grantee ORDER BY s.grantee) AS roles
    FROM (
        SELECT c.oid AS object, a.grantee::regrole::text AS grantee
        FROM pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE
            c.relnamespace = 'lead_protection'::regnamespace AND a.privilege_type = 'SELECT'
            AND a.grantee NOT IN (0, c.relowner)
        UNION ALL
        SELECT p.oid, a.grantee::regrole::text
        FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE
            p.pronamespace = 'lead_protection'::regnamespace AND a.privilege_type = 'EXECUTE'
            AND a.grantee NOT IN (0, p.proowner)
    ) AS s
    GROUP BY s.object
)

SELECT jsonb_build_object(
    'relations',
    (
        SELECT jsonb_object_agg(
            c.relname,
            jsonb_build_object(
                'is_type', c.relkind = 'c',
                'roles', coalesce((SELECT r.roles FROM rights AS r WHERE r.object = c.oid), '[]'),
                'comment', obj_description(c.oid, 'pg_class'),
                'columns', (
                    SELECT jsonb_agg(
                        jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum
                    )
                    FROM pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                )
            )
        )
        FROM pg_class AS c
        WHERE c.relnamespace = 'lead_protection'::regnamespace AND c.relkind IN ('r', 'v', 'c')
    ),
    'functions',
    (
        SELECT jsonb_object_agg(
            p.proname,
            jsonb_build_object(
                'roles', r.roles,
                'comment', obj_description(p.oid, 'pg_proc'),
                'is_procedure', p.prokind = 'p',
                'returns_set', p.proretset,
                'result', format_type(p.prorettype, NULL),
                'arguments', (
                    SELECT jsonb_agg(
                        jsonb_build_array(
                            coalesce(p.proargmodes[n.nth]::text, 'i'),
                            p.proargnames[n.nth],
                            format_type(t.type, NULL),
                            pg_get_function_arg_default(p.oid, n.nth::integer)
                        )
                        ORDER BY n.nth
                    )
                    FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid [])) WITH ORDINALITY AS t (type, nth)
                    CROSS JOIN LATERAL (SELECT t.nth) AS n
                )
            )
        )
        FROM pg_proc AS p
        INNER JOIN rights AS r ON p.oid = r.object
        WHERE p.pronamespace = 'lead_protection'::regnamespace
    )
)
$$;

COMMENT ON FUNCTION lead_protection.catalog_of_node() IS
'What a router makes its own objects from: the public functions with their arguments, results and rights, and the '
'tables, views and types with their columns. Called by lead-protection router apply. Internal.';
