-- A member goes through written_value(), which is taken into the expression: only an object or an array within costs a
-- call. In a loop: an aggregate, with its query to start up, would take twice as long for the few members of a log row.
CREATE OR REPLACE FUNCTION lead_protection.written_json(given jsonb)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written text := '';
    name text;
    value jsonb;
BEGIN
    IF jsonb_typeof(given) = 'object' THEN
        -- They come in the order in which jsonb keeps them: it is that of the written form.
        FOR name, value IN SELECT m.key, m.value FROM jsonb_each(given) AS m LOOP
            written := concat(written, octet_length(name), ':', name, lead_protection.written_value(value));
        END LOOP;
    ELSE
        FOR value IN SELECT e FROM jsonb_array_elements(given) AS e LOOP
            written := written || lead_protection.written_value(value);
        END LOOP;
    END IF;
    RETURN concat(octet_length(written), ':', written);
END;
$$;

COMMENT ON FUNCTION lead_protection.written_json(jsonb) IS
'A JSON object or array as a field of the log''s written form (docs/log-format.md): its length in bytes, a colon, and '
'its members or elements. Internal.';
