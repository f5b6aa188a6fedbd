-- What stands within the details of a log row. log_row_hash() writes their own members itself: a function that calls
-- itself cannot be taken into the query that asks for it.
CREATE OR REPLACE FUNCTION lead_protection.written_json(given jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE jsonb_typeof(written_json.given)
    WHEN 'object' THEN (
        SELECT coalesce(
            string_agg(
                concat(octet_length(member.key), ':', member.key, jsonb_typeof(member.value), octet_length(w.text), ':', w.text),
                '' ORDER BY octet_length(member.key), member.key COLLATE "C"
            ),
            ''
        )
        FROM jsonb_each(written_json.given) AS member (key, value)
        CROSS JOIN LATERAL lead_protection.written_json(member.value) AS w (text)
    )
    WHEN 'array' THEN (
        SELECT coalesce(
            string_agg(concat(jsonb_typeof(e.value), octet_length(w.text), ':', w.text), '' ORDER BY e.ordinality), ''
        )
        FROM jsonb_array_elements(written_json.given) WITH ORDINALITY AS e (value, ordinality)
        CROSS JOIN LATERAL lead_protection.written_json(e.value) AS w (text)
    )
    ELSE written_json.given #>> '{}'
END
$$;

COMMENT ON FUNCTION lead_protection.written_json(jsonb) IS
'A JSON value in the log''s written form (docs/log-format.md), without its type and length: the members of an object, '
'the elements of an array, the characters of a string; null: null. Internal.';
