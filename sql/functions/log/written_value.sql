CREATE OR REPLACE FUNCTION lead_protection.written_value(given jsonb)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(written_value.given) IN ('object', 'array')
        THEN jsonb_typeof(written_value.given) || lead_protection.written_json(written_value.given)
    ELSE concat(
        jsonb_typeof(written_value.given),
        octet_length(written_value.given #>> '{}'), ':', written_value.given #>> '{}'
    )
END;

COMMENT ON FUNCTION lead_protection.written_value(jsonb) IS
'A JSON value in the log''s written form (docs/log-format.md): the word for its type, and its field. Internal.';
