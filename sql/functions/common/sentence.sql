CREATE OR REPLACE FUNCTION lead_protection.sentence(code text, parameters jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN sentence.code IS NULL THEN '[]'
    ELSE jsonb_build_array(jsonb_build_object('code', sentence.code, 'parameters', sentence.parameters))
END;

COMMENT ON FUNCTION lead_protection.sentence(text, jsonb) IS
'A sentence as data, in a list of one, so that sentences are joined with ||: its code of statement_texts, and what its '
'words depend on, instants as of instant_text(), lengths in seconds. Null code: no sentence. Internal.';
