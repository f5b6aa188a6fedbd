CREATE OR REPLACE FUNCTION lead_protection.shown_text(shown jsonb, words jsonb, time_zone text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(
    concat_ws(
        ', ',
        shown_text.words ->> ('state.' || (shown_text.shown ->> 'state')),
        lead_protection.value_text(
            shown_text.shown ->> 'expires_at', 'instant', shown_text.words, shown_text.time_zone
        )
    ),
    ''
);

COMMENT ON FUNCTION lead_protection.shown_text(jsonb, jsonb, text) IS
'A state and an expiry in words. shown: with state and expires_at. Null if neither is known. Internal.';
