CREATE OR REPLACE FUNCTION lead_protection.same_key_sql(
    source regclass, column_name name, other_source regclass, other_column name
)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
    -- By the types themselves, so that an index on the other column is of use.
    WHEN t.left_type = t.right_type
        OR '{smallint,integer,bigint}'::text [] @> ARRAY[t.left_type, t.right_type]
        OR '{text,character varying}'::text [] @> ARRAY[t.left_type, t.right_type]
        THEN format(
            's.%I::%s = o.%I::%s', same_key_sql.column_name, t.left_type, same_key_sql.other_column, t.right_type
        )
    ELSE concat_ws(
        ' = ', lead_protection.column_sql('s', same_key_sql.source, same_key_sql.column_name),
        lead_protection.column_sql('o', same_key_sql.other_source, same_key_sql.other_column)
    )
END
FROM (
    SELECT
        lead_protection.column_type(same_key_sql.source, same_key_sql.column_name) AS left_type,
        lead_protection.column_type(same_key_sql.other_source, same_key_sql.other_column) AS right_type
) AS t
$$;

COMMENT ON FUNCTION lead_protection.same_key_sql(regclass, name, regclass, name) IS
'SQL over a row s of source and a row o of other_source: whether the columns name the same lead. Internal.';
