CREATE OR REPLACE FUNCTION lead_protection.instant_sql(source regclass, column_name name, time_zone text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
    WHEN lead_protection.column_type(instant_sql.source, instant_sql.column_name)
        IN ('timestamp without time zone', 'date')
        THEN format('s.%I::timestamp AT TIME ZONE %L', instant_sql.column_name, instant_sql.time_zone)
    ELSE format('s.%I::timestamptz', instant_sql.column_name)
END
WHERE instant_sql.column_name IS NOT NULL
$$;

COMMENT ON FUNCTION lead_protection.instant_sql(regclass, name, text) IS
'SQL over a row s of source: the column as an instant; a timestamp or a date is local time of time_zone. Null if '
'column_name is. Internal.';
