CREATE OR REPLACE FUNCTION lead_protection.table_saying_sql(source regclass, user_column name, said text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT format(
    'SELECT %s FROM %s AS t',
    string_agg(
        CASE WHEN a.attname = table_saying_sql.user_column
            THEN format('%s::%s AS %I', table_saying_sql.said, lead_protection.column_type(a.attrelid, a.attname), a.attname)
            ELSE format('t.%I', a.attname)
        END, ', ' ORDER BY a.attnum
    ),
    table_saying_sql.source
)
FROM pg_attribute AS a
WHERE a.attrelid = table_saying_sql.source AND a.attnum > 0 AND NOT a.attisdropped
$$;

COMMENT ON FUNCTION lead_protection.table_saying_sql(regclass, name, text) IS
'The SELECT of a table''s rows t as if user_column held what the SQL said gives, a text. Internal.';
