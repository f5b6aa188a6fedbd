CREATE OR REPLACE FUNCTION lead_protection.shown_text(shown jsonb, language text, time_zone text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN nullif(
    concat_ws(
        ', ',
        lead_protection.value_text(
            shown_text.shown ->> 'state', 'state', shown_text.language, shown_text.time_zone, false
        ),
        lead_protection.value_text(
            shown_text.shown ->> 'expires_at', 'instant', shown_text.language, shown_text.time_zone, false
        )
    ),
    ''
);

COMMENT ON FUNCTION lead_protection.shown_text(jsonb, text, text) IS
'A state and an expiry in words. shown: with state and expires_at. Null if neither is known. Internal.';
