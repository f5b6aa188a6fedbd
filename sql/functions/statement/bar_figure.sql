-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.bar_figure(title text, series text[], bars jsonb, name_every integer)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH bar AS (
        SELECT
            b.ordinality AS nth,
            b.bar ->> 0 AS name,
            p.ordinality AS part,
            p.leads::numeric AS height,
            sum(p.leads::numeric) OVER (PARTITION BY b.ordinality ORDER BY p.ordinality) AS upper_end
        FROM jsonb_array_elements(bar_figure.bars) WITH ORDINALITY AS b (bar, ordinality)
        CROSS JOIN LATERAL jsonb_array_elements_text(b.bar -> 1) WITH ORDINALITY AS p (leads, ordinality)
    ),

    scale AS (
        SELECT
            greatest(max(b.upper_end), 1) AS highest,
            110 / greatest(max(b.upper_end), 1) AS per_unit,
            604.0 / max(b.nth) AS apart
        FROM bar AS b
    )

    SELECT
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 176" role="img" font-size="9.5" fill="#4b5566"'
        || ' font-family="Liberation Sans, Arial, Helvetica, sans-serif"><title>'
        || lead_protection.html_text(bar_figure.title) || '</title>'
        || '<line x1="52" y1="130" x2="660" y2="130" stroke="#4b5566"/>'
        || '<line x1="52" y1="20" x2="660" y2="20" stroke="#dde3ec"/>'
        || lead_protection.svg_text(46, 24, s.highest::text, 'end')
        || lead_protection.svg_text(46, 133, '0', 'end')
        || (
            SELECT string_agg(
                lead_protection.svg_box(
                    54 + (b.nth - 1) * s.apart + 0.1 * s.apart,
                    130 - b.upper_end * s.per_unit,
                    least(0.8 * s.apart, 60),
                    b.height * s.per_unit, (ARRAY['#5b8bd0', '#e0904f', '#8b94a3', '#b3261e'])[b.part]
                ),
                '' ORDER BY b.nth, b.part
            )
            FROM bar AS b
        )
        || (
            SELECT string_agg(
                lead_protection.svg_text(
                    54 + (b.nth - 1) * s.apart + 0.1 * s.apart + least(0.4 * s.apart, 30), 143, b.name
                ),
                '' ORDER BY b.nth
            )
            FROM bar AS b
            WHERE b.part = 1 AND (b.nth - 1) % bar_figure.name_every = 0
        )
        -- How many there are stands over a bar that is wide enough.
        || coalesce(
            (
                SELECT string_agg(
                    lead_protection.svg_text(
                        54 + (b.nth - 1) * s.apart + 0.1 * s.apart + least(0.4 * s.apart, 30),
                        127 - b.upper_end * s.per_unit, b.upper_end::text
                    ),
                    '' ORDER BY b.nth
                )
                FROM bar AS b
                WHERE s.apart > 40 AND b.part = cardinality(bar_figure.series)
            ),
            ''
        )
        || (
            SELECT string_agg(
                lead_protection.svg_box(
                    54 + 150 * (n.nth - 1), 158, 12, 9, (ARRAY['#5b8bd0', '#e0904f', '#8b94a3', '#b3261e'])[n.nth]
                )
                || lead_protection.svg_text(70 + 150 * (n.nth - 1), 166, n.name, 'start'),
                '' ORDER BY n.nth
            )
            FROM unnest(bar_figure.series) WITH ORDINALITY AS n (name, nth)
        )
        || '</svg>'
    FROM scale AS s;
END;

COMMENT ON FUNCTION lead_protection.bar_figure(text, text[], jsonb, integer) IS
'A picture of stacked bars as SVG. series: the names of the parts, 4 at most; bars: [[name, [number of each part]]], '
'one at least; every so many-th bar is named. Internal.';
