CREATE OR REPLACE FUNCTION lead_protection.column_type(source regclass, column_name name)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH RECURSIVE made_of AS (
    SELECT t.oid, t.typtype, t.typbasetype
    FROM pg_attribute AS a
    INNER JOIN pg_type AS t ON a.atttypid = t.oid
    WHERE a.attrelid = column_type.source AND a.attname = column_type.column_name
        AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT t.oid, t.typtype, t.typbasetype
    FROM made_of AS m
    INNER JOIN pg_type AS t ON m.typbasetype = t.oid
    WHERE m.typtype = 'd'
)

-- character without a length is one of 1.
SELECT CASE m.oid WHEN 'bpchar'::regtype THEN 'bpchar' ELSE format_type(m.oid, NULL) END
FROM made_of AS m WHERE m.typtype <> 'd'
$$;

COMMENT ON FUNCTION lead_protection.column_type(regclass, name) IS
'The type of a column of a table, of a domain the type that it is made of; null: there is no such column. Needs '
'nothing else of this schema. Internal.';
