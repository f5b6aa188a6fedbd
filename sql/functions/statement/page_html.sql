CREATE OR REPLACE FUNCTION lead_protection.page_html(blocks jsonb, language text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        '<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="' || page_html.language || '" xml:lang="' || page_html.language || '">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''"/>
<title>' || max(w.words) FILTER (WHERE b.block ->> 'kind' = 'title') || '</title>
<style>
@page { size: A4; margin: 16mm 14mm 18mm; }
* { box-sizing: border-box; }
body { font: 10.5pt/1.42 "Liberation Sans", Arial, Helvetica, sans-serif; color: #1a2230; background: #fff;
  max-width: 182mm; margin: 0 auto; padding: 8mm 4mm; }
h1 { font-size: 17pt; line-height: 1.2; margin: 0 0 3mm; padding-bottom: 2mm; border-bottom: 0.6mm solid #1d4f91; }
h2 { font-size: 11.5pt; margin: 6mm 0 1.5mm; color: #1d4f91; break-after: avoid; }
p { margin: 0 0 2mm; overflow-wrap: anywhere; }
p.lead { font-size: 11.5pt; border-left: 1mm solid #1d4f91; padding-left: 3mm; margin: 3mm 0; }
p.note { font-size: 8.5pt; color: #4b5566; }
table { width: 100%; border-collapse: collapse; font-size: 8.8pt; margin-bottom: 2mm; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: 1mm 1.5mm; border-bottom: 0.2mm solid #cfd6e0; }
th { background: #eef2f7; border-bottom: 0.3mm solid #1d4f91; font-weight: 600; }
th { hyphens: auto; }
td { hyphens: auto; }
td.long { overflow-wrap: anywhere; }
figure { margin: 2mm 0; break-inside: avoid; }
svg { display: block; width: 100%; height: auto; }
@media print { body { max-width: none; padding: 0; } }
</style>
</head>
<body>
' || string_agg(
            CASE b.block ->> 'kind'
                WHEN 'title' THEN '<h1>' || w.words || '</h1>'
                WHEN 'heading' THEN '<h2>' || w.words || '</h2>'
                WHEN 'lead' THEN '<p class="lead">' || w.words || '</p>'
                WHEN 'note' THEN '<p class="note">' || w.words || '</p>'
                WHEN 'figure' THEN '<figure>' || (b.block ->> 'svg') || '</figure>'
                WHEN 'table'
                    THEN
                        '<table>
<thead><tr>' || (
                            SELECT
                                string_agg(
                                    '<th scope="col">' || lead_protection.html_text(c.cell) || '</th>',
                                    '' ORDER BY c.ordinality
                                )
                            FROM jsonb_array_elements_text(b.block -> 'head') WITH ORDINALITY AS c (cell, ordinality)
                        ) || '</tr></thead>
<tbody>
' || coalesce(
                            (
                                SELECT string_agg('<tr>' || r.cells || '</tr>', E'\n' ORDER BY t.ordinality)
                                FROM jsonb_array_elements(b.block -> 'rows') WITH ORDINALITY AS t (line, ordinality)
                                CROSS JOIN LATERAL (
                                    SELECT
                                        string_agg(
                                            -- A word longer than a column may be broken anywhere, and none else.
                                            CASE
                                                WHEN
                                                    length(c.cell) >= 24 AND c.cell ~ '[^[:space:]-]{24}'
                                                    THEN '<td class="long">'
                                                ELSE '<td>'
                                            END
                                            || coalesce(lead_protection.html_text(c.cell), '')
                                            || '</td>',
                                            ''
                                            ORDER BY c.ordinality
                                        ) AS cells
                                    FROM jsonb_array_elements_text(t.line) WITH ORDINALITY AS c (cell, ordinality)
                                ) AS r
                            ), ''
                        ) || '
</tbody>
</table>'
                ELSE '<p>' || w.words || '</p>'
            END,
            E'\n' ORDER BY b.ordinality
        ) || '
</body>
</html>
'
    FROM jsonb_array_elements(page_html.blocks) WITH ORDINALITY AS b (block, ordinality)
    CROSS JOIN LATERAL (SELECT lead_protection.html_text(b.block ->> 'text') AS words) AS w;
END;

COMMENT ON FUNCTION lead_protection.page_html(jsonb, text) IS
'A page as HTML that is XML, too: self-contained, for the screen and for A4. blocks: as page_markdown(), and {kind: '
'figure, svg}, which is taken as it is. Internal.';
