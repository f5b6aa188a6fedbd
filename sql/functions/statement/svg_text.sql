CREATE OR REPLACE FUNCTION lead_protection.svg_text(x numeric, y numeric, words text, anchor text DEFAULT 'middle')
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '<text x="' || round(svg_text.x, 1) || '" y="' || round(svg_text.y, 1) || '" text-anchor="' || svg_text.anchor
|| '">' || lead_protection.html_text(svg_text.words) || '</text>';

COMMENT ON FUNCTION lead_protection.svg_text(numeric, numeric, text, text) IS
'Words in an SVG picture, at x and y; anchor: start, middle or end. Internal.';
