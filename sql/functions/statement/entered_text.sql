CREATE OR REPLACE FUNCTION lead_protection.entered_text(fact jsonb, words jsonb, time_zone text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(entered_text.fact -> 'actor_id') = 'number'
        THEN
            lead_protection.statement_text(
                CASE WHEN entered_text.fact ->> 'entered_at' IS NULL THEN 'statement.by' ELSE 'statement.by_at' END,
                entered_text.words,
                jsonb_build_object('actor', entered_text.fact -> 'actor_id', 'at', entered_text.fact -> 'entered_at'),
                entered_text.time_zone
            )
    ELSE lead_protection.value_text(
        entered_text.fact ->> 'entered_at', 'instant', entered_text.words, entered_text.time_zone
    )
END;

COMMENT ON FUNCTION lead_protection.entered_text(jsonb, jsonb, text) IS
'By whom and when a fact was entered, in words. fact: with actor_id and entered_at. Null if neither is known. '
'Internal.';
