CREATE OR REPLACE FUNCTION lead_protection.table_block(head text[], words jsonb, rows jsonb)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'kind', 'table',
    'head', (
        SELECT jsonb_agg(table_block.words -> h.code ORDER BY h.ordinality)
        FROM unnest(table_block.head) WITH ORDINALITY AS h (code, ordinality)
    ),
    'rows', coalesce(table_block.rows, '[]')
);

COMMENT ON FUNCTION lead_protection.table_block(text[], jsonb, jsonb) IS
'A table for page(). head: codes of statement_texts; rows: a list of lists of texts, null for none. Internal.';
