CREATE OR REPLACE FUNCTION lead_protection.instant_expression(source regclass, column_name name, time_zone text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
    -- A domain is what it is made of.
    WHEN 'timestamptz'::regtype IN (y.oid, y.typbasetype) THEN format('s.%I::timestamptz', a.attname)
    ELSE format('s.%I::timestamp AT TIME ZONE %L', a.attname, instant_expression.time_zone)
END
FROM pg_attribute AS a
INNER JOIN pg_type AS y ON a.atttypid = y.oid
WHERE a.attrelid = instant_expression.source AND a.attname = instant_expression.column_name
$$;

COMMENT ON FUNCTION lead_protection.instant_expression(regclass, name, text) IS
'SQL over a row s of source: the column as an instant; a timestamp or a date is local time of time_zone. Null if '
'column_name is. Internal.';
