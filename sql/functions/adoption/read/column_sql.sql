CREATE OR REPLACE FUNCTION lead_protection.column_sql(alias text, source regclass, column_name name)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
-- A column that is not there any more is named all the same: that it is missing is what PostgreSQL says then.
SELECT format(
    '%s.%I%s::text', column_sql.alias, column_sql.column_name,
    '::' || lead_protection.column_type(column_sql.source, column_sql.column_name)
)
WHERE column_sql.column_name IS NOT NULL
$$;

COMMENT ON FUNCTION lead_protection.column_sql(text, regclass, name) IS
'SQL over a row of source, by its alias: the column as text; null if column_name is. Internal.';
