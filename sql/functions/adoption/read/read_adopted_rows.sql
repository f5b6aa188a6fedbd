-- The one place where SQL of the company's own is run: conditions, expressions, and what hangs on the types of its
-- columns. What comes out are plain values.
CREATE OR REPLACE FUNCTION lead_protection.read_adopted_rows(
    adoption lead_protection.adoptions,
    row_keys text[] DEFAULT NULL,
    after_key text DEFAULT NULL,
    until_key text DEFAULT NULL,
    batch_size bigint DEFAULT NULL,
    last_first boolean DEFAULT false,
    users_said text[] DEFAULT NULL
)
RETURNS SETOF lead_protection.adopted_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off, extra_warnings = off
DECLARE
    key_column CONSTANT text := quote_ident(read_adopted_rows.adoption.key_column);
    key_type CONSTANT text := read_adopted_rows.adoption.key_type;
BEGIN
    RETURN QUERY EXECUTE concat_ws(
        ' ',
        lead_protection.adopted_rows_sql(
            read_adopted_rows.adoption.kind, read_adopted_rows.adoption.source::regclass,
            read_adopted_rows.adoption.mapping, read_adopted_rows.users_said IS NOT NULL
        ),
        -- A row without a lead or a kind is no activity.
        CASE read_adopted_rows.adoption.kind
            WHEN 'activities' THEN format(
                'AND s.%I IS NOT NULL AND (%s) IS NOT NULL', read_adopted_rows.adoption.mapping ->> 'lead_column',
                read_adopted_rows.adoption.mapping ->> 'kind'
            )
            WHEN 'holds' THEN format('AND s.%I IS NOT NULL', read_adopted_rows.adoption.mapping ->> 'lead_column')
        END,
        -- An empty key is none, and this one stands for the table as a whole.
        CASE WHEN key_type IN ('text', 'character varying', 'bpchar') THEN format('AND s.%s NOT IN ('''', ''*'')', key_column) END,
        CASE WHEN read_adopted_rows.row_keys IS NOT NULL AND read_adopted_rows.users_said IS NULL
            THEN format('AND s.%s = ANY($1::%s[])', key_column, key_type)
        END,
        CASE WHEN read_adopted_rows.after_key IS NOT NULL THEN format('AND s.%s > $2::%s', key_column, key_type) END,
        CASE WHEN read_adopted_rows.until_key IS NOT NULL THEN format('AND s.%s <= $4::%s', key_column, key_type) END,
        CASE WHEN read_adopted_rows.batch_size IS NOT NULL
            THEN format(
                'ORDER BY s.%s %s LIMIT $3', key_column,
                CASE WHEN read_adopted_rows.last_first THEN 'DESC' ELSE 'ASC' END
            )
        END
    ) USING
        read_adopted_rows.row_keys, read_adopted_rows.after_key, read_adopted_rows.batch_size,
        read_adopted_rows.until_key, read_adopted_rows.users_said;
END;
$$;

COMMENT ON FUNCTION lead_protection.read_adopted_rows(
    lead_protection.adoptions, text[], text, text, bigint, boolean, text[]
) IS
'The rows of an adopted table as they are now, as plain values: all, those with these keys, or the next batch_size by '
'their keys after after_key and up to until_key; last_first: the last come first. users_said: rows of leads as if '
'they had these users, one for each of row_keys, which are then the label. The only function that runs SQL of the company''s own. Internal.';
