CREATE OR REPLACE FUNCTION lead_protection.statement_text(
    code text, words jsonb, parameters jsonb DEFAULT '{}', time_zone text DEFAULT 'UTC'
)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN lead_protection.sentence_text(
    lead_protection.sentence(statement_text.code, statement_text.parameters), statement_text.words,
    statement_text.time_zone
);

COMMENT ON FUNCTION lead_protection.statement_text(text, jsonb, jsonb, text) IS
'One text in words, of words_of(), with its parameters, see sentence(); instants in time_zone. Internal.';
