CREATE OR REPLACE FUNCTION lead_protection.statement_text(
    code text, language text, parameters jsonb DEFAULT '{}', time_zone text DEFAULT 'UTC'
)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN lead_protection.sentence_text(
    lead_protection.sentence(statement_text.code, statement_text.parameters), statement_text.language,
    statement_text.time_zone
);

COMMENT ON FUNCTION lead_protection.statement_text(text, text, jsonb, text) IS
'One text of statement_texts in a language, with its parameters, see sentence(); instants in time_zone. Internal.';
