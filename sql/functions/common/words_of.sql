CREATE OR REPLACE FUNCTION lead_protection.words_of(language text)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT jsonb_object_agg(t.code, t.text)
    FROM lead_protection.statement_texts AS t
    WHERE t.language = words_of.language;
END;

COMMENT ON FUNCTION lead_protection.words_of(text) IS
'All texts of a language by their codes, for a page: read once, and not again for each sentence. With a key exact in '
'it, whatever its value, instants and lengths are told to the microsecond. Null: there is no such language. Internal.';
