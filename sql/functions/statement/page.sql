CREATE OR REPLACE FUNCTION lead_protection.page(blocks jsonb, language text, format text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN lead_protection.printable(
    CASE page.format
        WHEN 'html' THEN lead_protection.page_html(page.blocks, page.language)
        ELSE lead_protection.page_markdown(page.blocks)
    END
);

COMMENT ON FUNCTION lead_protection.page(jsonb, text, text) IS
'A page in a format, markdown or html: page_markdown(), page_html(). Internal.';
