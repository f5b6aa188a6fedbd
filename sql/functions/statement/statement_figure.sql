CREATE OR REPLACE FUNCTION lead_protection.statement_figure(facts jsonb, words jsonb)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone CONSTANT text := statement_figure.facts #>> '{steps,0,sentences,0,parameters,zone}';
    as_of CONSTANT timestamptz := (statement_figure.facts ->> 'as_of')::timestamptz;
    starts_at CONSTANT timestamptz := (statement_figure.facts #>> '{steps,0,from}')::timestamptz;
    expires_at CONSTANT timestamptz := (statement_figure.facts #>> '{result,protection_expires_at}')::timestamptz;
    closed_at timestamptz;
    due_at timestamptz;
    sent_at timestamptz;
    -- On a page 680 wide, with a margin at both sides for words.
    first_x CONSTANT numeric := 24.0;
    last_x CONSTANT numeric := 656.0;
    first_at CONSTANT timestamptz := starts_at;
    last_at timestamptz;
    months_apart integer;
    drawn text;
    mark record;
BEGIN
    SELECT
        max((s ->> 'from')::timestamptz) FILTER (WHERE s ->> 'item' = 'CLOSED'),
        max((s ->> 'from')::timestamptz) FILTER (WHERE s ->> 'item' = 'REMINDER'),
        max((s ->> 'until')::timestamptz) FILTER (WHERE s ->> 'item' = 'REMINDER')
    INTO closed_at, due_at, sent_at
    FROM jsonb_array_elements(statement_figure.facts -> 'steps') AS s;
    last_at := greatest(expires_at, as_of, closed_at, sent_at);

    -- As many names of months as there is room for.
    months_apart := CASE
        WHEN last_at - first_at < INTERVAL '460 days' THEN 1
        WHEN last_at - first_at < INTERVAL '1380 days' THEN 3
        ELSE 12 * ceil(extract(EPOCH FROM last_at - first_at) / 86400 / 365.25 / 14)::integer
    END;

    -- The axis, with a line at the beginning of each month that is named.
    SELECT string_agg(
        format('<line x1="%1$s" y1="48" x2="%1$s" y2="94" stroke="#dde3ec"/>', round(m.x, 1))
        || lead_protection.svg_text(
            m.x, 106, to_char(m.first_day, statement_figure.words ->> 'form.month')
        ),
        '' ORDER BY m.first_day
    )
    INTO drawn
    FROM (
        SELECT
            g.first_day,
            first_x + (last_x - first_x)
            * (extract(EPOCH FROM (g.first_day AT TIME ZONE zone) - first_at)
                / extract(EPOCH FROM last_at - first_at)) AS x
        FROM generate_series(
            date_trunc(CASE WHEN months_apart >= 12 THEN 'year' ELSE 'month' END, first_at AT TIME ZONE zone)
            + make_interval(months => CASE WHEN months_apart >= 12 THEN 12 ELSE 1 END),
            last_at AT TIME ZONE zone,
            make_interval(months => months_apart)
        ) AS g (first_day)
    ) AS m
    -- Room for the words.
    WHERE m.x BETWEEN first_x AND last_x - 10;

    SELECT
        coalesce(drawn, '')
        -- What was protected, and what would have been but for the closing.
        || lead_protection.svg_box(
            first_x, 56, s.per_second * extract(EPOCH FROM expires_at - first_at), 30, '#e3ecf8',
            ' stroke="#8aa9d6" stroke-dasharray="3 2"'
        )
        || lead_protection.svg_box(
            first_x, 56, s.per_second * extract(EPOCH FROM least(expires_at, closed_at) - first_at), 30, '#8fb4e8'
        )
        || coalesce(
            (
                SELECT string_agg(
                    lead_protection.svg_box(
                        first_x + s.per_second * extract(EPOCH FROM greatest(h.from_at, first_at) - first_at), 56,
                        greatest(
                            1.5, s.per_second * extract(EPOCH FROM h.until_at - greatest(h.from_at, first_at))
                        ),
                        30, 'url(#stopped)', ' stroke="#b4541a"'
                    ),
                    '' ORDER BY h.from_at, h.until_at
                )
                FROM (
                    SELECT DISTINCT
                        (e ->> 'from')::timestamptz AS from_at,
                        least(coalesce((e ->> 'until')::timestamptz, closed_at, as_of), last_at) AS until_at
                    FROM jsonb_array_elements(statement_figure.facts -> 'steps') AS e
                    WHERE e ->> 'item' = 'HOLD' AND (e ->> 'moved_by_seconds')::numeric > 0
                ) AS h
            ),
            ''
        )
    INTO drawn
    FROM (
        SELECT (last_x - first_x) / extract(EPOCH FROM last_at - first_at) AS per_second
    ) AS s;

    FOR mark IN
        SELECT
            t.code,
            t.y,
            t.colour,
            t.at,
            first_x + (last_x - first_x) * extract(EPOCH FROM t.at - first_at)
            / extract(EPOCH FROM last_at - first_at) AS x
        FROM (
            VALUES
            ('as_of', 14, '#b3261e', as_of),
            ('closed', 30, '#4b5566', closed_at),
            ('start', 126, '#1d4f91', starts_at),
            -- The end is the lower one: it comes after the reminder, so that no line crosses its words.
            ('reminder_due', 126, '#7a5b00', CASE WHEN sent_at IS NULL THEN due_at END),
            ('reminder_sent', 126, '#7a5b00', sent_at),
            ('end', 142, '#1d4f91', expires_at)
        ) AS t (code, y, colour, at)
        WHERE t.at BETWEEN first_at AND last_at
    LOOP
        drawn := drawn
            || format(
                '<line x1="%1$s" y1="%2$s" x2="%1$s" y2="%3$s" stroke="%4$s" stroke-width="1.4"/>',
                round(mark.x, 1), CASE WHEN mark.y < 56 THEN mark.y + 4 ELSE 52 END,
                CASE WHEN mark.y < 56 THEN 90 ELSE mark.y - 10 END, mark.colour
            )
            || format('<g fill="%s" font-weight="600">', mark.colour)
            || lead_protection.svg_text(
                mark.x, mark.y,
                lead_protection.statement_text('figure.' || mark.code, statement_figure.words)
                || ' ' || lead_protection.value_text(
                    to_char(mark.at AT TIME ZONE zone, 'YYYY-MM-DD'), 'date', statement_figure.words, zone
                ),
                CASE WHEN mark.x < 130 THEN 'start' WHEN mark.x > 550 THEN 'end' ELSE 'middle' END
            )
            || '</g>';
    END LOOP;

    RETURN '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 176" role="img" aria-labelledby="figure-title"'
        || ' font-family="Liberation Sans, Arial, Helvetica, sans-serif" font-size="9.5" fill="#4b5566">'
        || '<title id="figure-title">'
        || lead_protection.html_text(lead_protection.statement_text('statement.figure', statement_figure.words))
        || '</title><defs><pattern id="stopped" width="6" height="6" patternUnits="userSpaceOnUse"'
        || ' patternTransform="rotate(45)"><rect width="6" height="6" fill="#fbe3d2"/>'
        || '<line x1="0" y1="0" x2="0" y2="6" stroke="#c4622a" stroke-width="3"/></pattern></defs>'
        || drawn
        || lead_protection.svg_box(24, 160, 14, 9, '#8fb4e8')
        || lead_protection.svg_text(
            42, 168, lead_protection.statement_text('figure.protection', statement_figure.words), 'start'
        )
        || lead_protection.svg_box(110, 160, 14, 9, 'url(#stopped)', ' stroke="#b4541a"')
        || lead_protection.svg_text(
            128, 168, lead_protection.statement_text('figure.stop', statement_figure.words), 'start'
        )
        || '</svg>';
END;
$$;

COMMENT ON FUNCTION lead_protection.statement_figure(jsonb, jsonb) IS
'The time line of protection_statement() as SVG: protection, stops hatched, reminder, end, closing and the time of '
'looking. facts: of statement_facts(), of a lead that is somebody''s and whose protection had begun. Internal.';
