CREATE OR REPLACE FUNCTION lead_protection.reason_text(code text, reason text, description text, language text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN CASE
    WHEN reason_text.code = 'OTHER' THEN reason_text.reason
    ELSE coalesce(
        (
            SELECT t.text
            FROM lead_protection.statement_texts AS t
            WHERE t.code = 'reason.' || reason_text.code AND t.language = reason_text.language
        ),
        reason_text.description
    )
END;

COMMENT ON FUNCTION lead_protection.reason_text(text, text, text, text) IS
'The reason of a hold in words: as it was given, or for a code its text, or else, for a company''s own, its description '
'in hold_reasons. Internal.';
