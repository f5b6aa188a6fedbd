CREATE OR REPLACE FUNCTION lead_protection.html_text(line text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(
    replace(replace(replace(replace(
        html_text.line, '&', '&amp;'
    ), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;'
);

COMMENT ON FUNCTION lead_protection.html_text(text) IS
'A text as HTML and XML show it, in an element or an attribute: nothing of it is markup. Internal.';
