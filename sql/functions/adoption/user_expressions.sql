CREATE OR REPLACE FUNCTION lead_protection.user_expressions(source regclass, column_name name)
RETURNS TABLE (id_expression text, key_expression text)
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    CASE
        WHEN t.base IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN format('s.%I::bigint', a.attname)
        ELSE format(
            '(SELECT u.user_id FROM lead_protection.adopted_users AS u WHERE u.user_key = s.%I::text)', a.attname
        )
    END,
    CASE
        WHEN t.base NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN format('s.%I::text', a.attname)
    END
FROM pg_attribute AS a
INNER JOIN (
    SELECT y.oid, CASE WHEN y.typtype = 'd' THEN y.typbasetype ELSE y.oid END AS base FROM pg_type AS y
) AS t ON a.atttypid = t.oid
WHERE a.attrelid = user_expressions.source AND a.attname = user_expressions.column_name
$$;

COMMENT ON FUNCTION lead_protection.user_expressions(regclass, name) IS
'SQL over a row s of source: the user''s number, and, where the column is no integer, the key by which adopted_users '
'has it (null otherwise). Internal.';
