CREATE OR REPLACE FUNCTION lead_protection.table_block(head text [], language text, rows jsonb)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN jsonb_build_object(
    'kind', 'table',
    'head', (
        SELECT jsonb_agg(lead_protection.statement_text(h.code, table_block.language) ORDER BY h.ordinality)
        FROM unnest(table_block.head) WITH ORDINALITY AS h (code, ordinality)
    ),
    'rows', coalesce(table_block.rows, '[]')
);

COMMENT ON FUNCTION lead_protection.table_block(text [], text, jsonb) IS
'A table for page(). head: codes of statement_texts; rows: a list of lists of texts, null for none. Internal.';
