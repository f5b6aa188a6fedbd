-- Values are noted by what their types put out, and never cast: a cast may be code of the company's own.
CREATE OR REPLACE FUNCTION lead_protection.noting_sql(adoption lead_protection.adoptions, operation text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
    WHEN noting_sql.operation IN ('INSERT', 'DELETE') THEN format(
        'INSERT INTO lead_protection.adoption_notes (adoption_id, row_keys, said, said_before, inserted)'
        ' SELECT %s, array_agg(concat(s.%I)), %s, %s, %s FROM %s AS s HAVING count(*) > 0',
        noting_sql.adoption.id, noting_sql.adoption.key_column,
        CASE
            -- An owner that is gone is nobody.
            WHEN noting_sql.operation = 'INSERT' OR noting_sql.adoption.kind IN ('activities', 'holds')
                THEN format('array_agg(concat(s.%I))', c.column_name)
            WHEN noting_sql.adoption.kind = 'owners' THEN 'array_agg(''''::text)'
            ELSE 'NULL'
        END,
        -- Whose a lead was is asked if it was never looked at before.
        CASE WHEN noting_sql.operation = 'DELETE' AND noting_sql.adoption.kind = 'owners'
            THEN format('array_agg(concat(s.%I))', c.column_name) ELSE 'NULL'
        END,
        CASE noting_sql.operation WHEN 'INSERT' THEN 'true' ELSE 'false' END,
        CASE noting_sql.operation WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END
    )
    WHEN noting_sql.operation = 'UPDATE' THEN format(
        -- Both tables have the rows in the same order.
        'INSERT INTO lead_protection.adoption_notes (adoption_id, row_keys, said, keys_before, said_before)'
        ' SELECT %1$s, n.row_keys, n.said, nullif(o.row_keys, n.row_keys), nullif(o.said, n.said)'
        ' FROM (SELECT array_agg(concat(s.%2$I)) AS row_keys, array_agg(concat(s.%3$I)) AS said FROM new_rows AS s) AS n'
        ' CROSS JOIN'
        ' (SELECT array_agg(concat(s.%2$I)) AS row_keys, array_agg(concat(s.%3$I)) AS said FROM old_rows AS s) AS o'
        ' WHERE n.row_keys IS NOT NULL',
        noting_sql.adoption.id, noting_sql.adoption.key_column, c.column_name
    )
    ELSE format('INSERT INTO lead_protection.adoption_notes (adoption_id) VALUES (%s)', noting_sql.adoption.id)
END
FROM (
    -- A table without a column of what is noted beside the key notes the key itself.
    SELECT coalesce(
        CASE WHEN noting_sql.adoption.kind IN ('activities', 'holds')
            THEN noting_sql.adoption.mapping ->> 'lead_column'
            ELSE noting_sql.adoption.mapping ->> 'user_column'
        END,
        noting_sql.adoption.key_column
    ) AS column_name
) AS c
$$;

COMMENT ON FUNCTION lead_protection.noting_sql(lead_protection.adoptions, text) IS
'The statement by which a trigger on an adopted table notes what an operation (INSERT, UPDATE, DELETE, TRUNCATE) wrote '
'there. Internal.';
