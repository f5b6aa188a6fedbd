CREATE OR REPLACE FUNCTION lead_protection.require_statement_form(language text, format text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_statement_form.language NOT IN (SELECT t.language FROM lead_protection.statement_texts AS t) THEN
        RAISE EXCEPTION 'there are no texts in language %', require_statement_form.language
            USING ERRCODE = 'LP062',
            DETAIL = format('Given: %L.', require_statement_form.language),
            HINT = 'en or de.';
    END IF;
    IF require_statement_form.format NOT IN ('markdown', 'html') THEN
        RAISE EXCEPTION 'there is no format %', require_statement_form.format
            USING ERRCODE = 'LP077',
            DETAIL = format('Given: %L.', require_statement_form.format),
            HINT = 'markdown or html.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_statement_form(text, text) IS
'Refuses a language that there are no texts in (LP062) and a format that is neither markdown nor html (LP077). '
'Internal.';
