CREATE OR REPLACE FUNCTION lead_protection.reason_text(code text, reason text, description text, words jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN reason_text.code = 'OTHER' THEN reason_text.reason
    ELSE coalesce(reason_text.words ->> ('reason.' || reason_text.code), reason_text.description)
END;

COMMENT ON FUNCTION lead_protection.reason_text(text, text, text, jsonb) IS
'The reason of a hold in words: as it was given, or for a code its text, or else, for a company''s own, its '
'description in hold_reasons. Internal.';
