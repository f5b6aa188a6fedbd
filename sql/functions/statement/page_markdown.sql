-- The linter cannot indent a SELECT of one nested call.
-- noqa: disable=LT02,LT09
CREATE OR REPLACE FUNCTION lead_protection.page_markdown(blocks jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT string_agg(
        CASE b.block ->> 'kind'
            WHEN 'title' THEN '# ' || w.words
            WHEN 'heading' THEN '## ' || w.words
            WHEN 'lead' THEN '**' || w.words || '**'
            WHEN 'table' THEN (
                SELECT string_agg('| ' || r.cells || ' |', E'\n' ORDER BY r.place)
                FROM (
                    SELECT
                        t.ordinality AS place,
                        (
                            SELECT string_agg(
                                regexp_replace(
                                    translate(coalesce(c.cell, ''), E'\n\r\t', '   '),
                                    '([\\`*<>#|~\[\]{}])', '\\\1', 'g'
                                ), ' | '
                                ORDER BY c.ordinality
                            )
                            FROM jsonb_array_elements_text(t.line) WITH ORDINALITY AS c (cell, ordinality)
                        ) AS cells
                    FROM jsonb_array_elements(jsonb_build_array(b.block -> 'head') || (b.block -> 'rows'))
                        WITH ORDINALITY AS t (line, ordinality)
                    UNION ALL
                    -- Between the head, which is the first, and the rows.
                    SELECT 1.5, (
                        SELECT string_agg('---', ' | ') FROM jsonb_array_elements(b.block -> 'head')
                    )
                ) AS r
            )
            ELSE w.words
        END,
        E'\n\n' ORDER BY b.ordinality
    ) || E'\n'
    FROM jsonb_array_elements(page_markdown.blocks) WITH ORDINALITY AS b (block, ordinality)
    CROSS JOIN LATERAL (
        -- Of what somebody entered nothing may become markup.
        SELECT regexp_replace(
            translate(b.block ->> 'text', E'\n\r\t', '   '), '([\\`*<>#|~\[\]{}])', '\\\1', 'g'
        ) AS words
    ) AS w
    WHERE b.block ->> 'kind' <> 'figure';
END;

COMMENT ON FUNCTION lead_protection.page_markdown(jsonb) IS
'A page as Markdown. blocks, in their order: {kind: title, heading, lead, text or note, text}, {kind: table, head: '
'[text], rows: [[text]]}; figures are left out. Internal.';
