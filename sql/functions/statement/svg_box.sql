CREATE OR REPLACE FUNCTION lead_protection.svg_box(
    x numeric, y numeric, width numeric, height numeric, fill text, more text DEFAULT ''
)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '<rect x="' || round(svg_box.x, 1) || '" y="' || round(svg_box.y, 1) || '" width="'
|| round(greatest(svg_box.width, 0), 1) || '" height="' || round(greatest(svg_box.height, 0), 1) || '" fill="'
|| svg_box.fill || '"' || svg_box.more || '/>';

COMMENT ON FUNCTION lead_protection.svg_box(numeric, numeric, numeric, numeric, text, text) IS
'A rectangle in an SVG picture; more: further attributes, as they are. Internal.';
