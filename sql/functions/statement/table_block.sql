CREATE OR REPLACE FUNCTION lead_protection.table_block(
    head text[], words jsonb, rows jsonb, without_rows text DEFAULT NULL
)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN table_block.rows IS NULL AND table_block.without_rows IS NOT NULL
        THEN jsonb_build_object('kind', 'text', 'text', table_block.words -> table_block.without_rows)
    ELSE jsonb_build_object(
        'kind', 'table',
        'head', (
            SELECT jsonb_agg(table_block.words -> h.code ORDER BY h.ordinality)
            FROM unnest(table_block.head) WITH ORDINALITY AS h (code, ordinality)
        ),
        'rows', coalesce(table_block.rows, '[]')
    )
END;

COMMENT ON FUNCTION lead_protection.table_block(text[], jsonb, jsonb, text) IS
'A table for page(), or without_rows, a text, where it has none. head, without_rows: codes of statement_texts; rows: a '
'list of lists of texts, null for none. Internal.';
