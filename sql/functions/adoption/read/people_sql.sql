CREATE OR REPLACE FUNCTION lead_protection.people_sql(source regclass, mapping jsonb)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT format(
    'SELECT NULL::text, NULL::text, CASE WHEN (%s) THEN NULL ELSE u.user_key END, NULL::timestamptz, NULL::timestamptz,'
    ' NULL::text, NULL::text FROM unnest($4) AS u (user_key) CROSS JOIN LATERAL (SELECT %s) AS %s',
    people_sql.mapping ->> 'nobody_when',
    string_agg(
        format(
            '%s::%s AS %I', CASE WHEN c.attname = o.user_column THEN 'u.user_key' ELSE 'NULL' END,
            lead_protection.column_type(o.source, c.attname), c.attname
        ), ', ' ORDER BY c.attnum
    ),
    o.alias
)
FROM (
    SELECT
        coalesce(to_regclass(people_sql.mapping ->> 'owner_source'), people_sql.source) AS source,
        coalesce(people_sql.mapping ->> 'owner_user_column', people_sql.mapping ->> 'user_column') AS user_column,
        CASE WHEN people_sql.mapping ->> 'owner_source' IS NULL THEN 's' ELSE 'o' END AS alias
) AS o
INNER JOIN pg_attribute AS c ON o.source = c.attrelid AND c.attnum > 0 AND NOT c.attisdropped
GROUP BY o.alias
$$;

COMMENT ON FUNCTION lead_protection.people_sql(regclass, jsonb) IS
'The SELECT that tells of users ($4) which are somebody, rows of type adopted_row: nobody_when, asked of a row that '
'has such a user and nothing else. Internal.';
