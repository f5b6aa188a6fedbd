CREATE OR REPLACE FUNCTION lead_protection.instant_sql(
    source regclass, column_name name, time_zone text, owners regclass DEFAULT NULL
)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
    WHEN t.type IN ('timestamp without time zone', 'date')
        THEN format('%s.%I::timestamp AT TIME ZONE %L', t.alias, instant_sql.column_name, instant_sql.time_zone)
    ELSE format('%s.%I::timestamptz', t.alias, instant_sql.column_name)
END
FROM (
    VALUES
    (1, 's', lead_protection.column_type(instant_sql.source, instant_sql.column_name)),
    (2, 'o', lead_protection.column_type(instant_sql.owners, instant_sql.column_name)),
    -- A column that is not there any more is named all the same: that it is missing is what PostgreSQL says then.
    (3, 's', 'timestamp with time zone')
) AS t (nth, alias, type)
WHERE instant_sql.column_name IS NOT NULL AND t.type IS NOT NULL
ORDER BY t.nth
LIMIT 1
$$;

COMMENT ON FUNCTION lead_protection.instant_sql(regclass, name, text, regclass) IS
'SQL over a row s of source, or if it has no such column a row o of owners: the column as an instant; a timestamp or a '
'date is local time of time_zone. Null if column_name is. Internal.';
