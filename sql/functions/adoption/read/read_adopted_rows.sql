CREATE OR REPLACE FUNCTION lead_protection.read_adopted_rows(
    adoption lead_protection.adoptions,
    row_keys text[] DEFAULT NULL,
    after_key text DEFAULT NULL,
    until_key text DEFAULT NULL,
    batch_size bigint DEFAULT NULL,
    last_first boolean DEFAULT false,
    people text[] DEFAULT NULL,
    but_keys text[] DEFAULT NULL
)
RETURNS SETOF lead_protection.adopted_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_column CONSTANT text := quote_ident(read_adopted_rows.adoption.key_column);
    key_type CONSTANT text := read_adopted_rows.adoption.key_type;
    source CONSTANT regclass := read_adopted_rows.adoption.source::regclass;
    query text;
BEGIN
    IF read_adopted_rows.people IS NOT NULL THEN
        query := lead_protection.people_sql(source, read_adopted_rows.adoption.mapping);
    ELSE
        query := concat_ws(
            ' ',
            lead_protection.adopted_rows_sql(
                read_adopted_rows.adoption.kind, source, read_adopted_rows.adoption.mapping,
                -- OFFSET 0: nothing else is asked of them.
                CASE WHEN read_adopted_rows.but_keys <> '{}'
                    THEN format(
                        '(SELECT t.* FROM %s AS t WHERE t.%s <> ALL(%L::%s[]) OFFSET 0)', source, key_column,
                        read_adopted_rows.but_keys, key_type
                    )
                END
            ),
            -- A row without a lead or a kind is no activity.
            CASE read_adopted_rows.adoption.kind
                WHEN 'activities' THEN format(
                    'AND s.%I IS NOT NULL AND (%s) IS NOT NULL', read_adopted_rows.adoption.mapping ->> 'lead_column',
                    coalesce(read_adopted_rows.adoption.mapping ->> 'kind', 'true')
                )
                WHEN 'holds' THEN format('AND s.%I IS NOT NULL', read_adopted_rows.adoption.mapping ->> 'lead_column')
            END,
            CASE WHEN read_adopted_rows.row_keys IS NOT NULL
                THEN format('AND s.%s = ANY($1::%s[])', key_column, key_type)
            END,
            CASE WHEN read_adopted_rows.after_key IS NOT NULL
                THEN format('AND s.%s > $2::%s', key_column, key_type)
            END,
            CASE WHEN read_adopted_rows.until_key IS NOT NULL
                THEN format('AND s.%s <= $5::%s', key_column, key_type)
            END,
            CASE WHEN read_adopted_rows.batch_size IS NOT NULL
                THEN format(
                    'ORDER BY s.%s %s LIMIT $3', key_column,
                    CASE WHEN read_adopted_rows.last_first THEN 'DESC' ELSE 'ASC' END
                )
            END
        );
    END IF;
    RETURN QUERY
    SELECT r.*
    FROM lead_protection.run_adopted_sql(
        query, read_adopted_rows.row_keys, read_adopted_rows.after_key, read_adopted_rows.batch_size,
        read_adopted_rows.people, read_adopted_rows.until_key
    ) AS r;
END;
$$;

COMMENT ON FUNCTION lead_protection.read_adopted_rows(
    lead_protection.adoptions, text[], text, text, bigint, boolean, text[], text[]
) IS
'The rows of an adopted table as they are now, as plain values: all, those with these keys, or the next batch_size by '
'their keys after after_key and up to until_key; last_first: the last come first; but_keys: without those. With '
'people: of these users, as the column names them, those who are somebody, in user_key. Internal.';
