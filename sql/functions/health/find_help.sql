CREATE OR REPLACE FUNCTION lead_protection.find_help(question text, language text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    vague CONSTANT text[] := string_to_array(
        'forgot forgotten wrong miss gone broken work new now bad get got go went book '
        'vergess falsch fehlt fehl weg geht geh steht stell neu bekomm bekam kommt morg heut', ' '
    );
    health jsonb;
    found jsonb;
    spoken text;
BEGIN
    IF coalesce(find_help.question !~ '[^[:space:]]' OR length(find_help.question) > 1000, true) THEN
        RAISE EXCEPTION 'a question has 1 to 1000 characters'
            USING ERRCODE = 'LP061',
            DETAIL = format('Given: %s characters.', coalesce(length(find_help.question), 0)),
            HINT = 'Say in plain words what is wrong, such as: no reminder was sent.';
    END IF;
    IF find_help.language NOT IN ('en', 'de') THEN
        RAISE EXCEPTION 'there is no help in language %', find_help.language
            USING ERRCODE = 'LP062',
            DETAIL = format('Given: %L.', find_help.language),
            HINT = 'en or de; or leave it out: the language of the question is found out.';
    END IF;

    -- Each word that was asked for counts once in each operation: for more if it is in the title or among the keywords,
    -- and if few operations have it. Words that begin alike count for less: Erinnerungsmail, Erinnerung.
    WITH words (word) AS (
        SELECT u.lexeme FROM unnest(to_tsvector('pg_catalog.simple', find_help.question)) AS u
        WHERE u.lexeme !~ '^[0-9]+$'
    ),

    asked (language, lexeme) AS (
        SELECT 'en', u.lexeme FROM words AS w CROSS JOIN LATERAL unnest(ts_lexize('english_stem', w.word)) AS u (lexeme)
        UNION
        -- The stem of a German word has no umlaut; nor has one that was written without: aktivitaet. What means nothing
        -- with its umlaut means nothing without: fuer.
        SELECT 'de', regexp_replace(u.lexeme, '([aou])e', '\1', 'g')
        FROM words AS w CROSS JOIN LATERAL unnest(ts_lexize('german_stem', w.word)) AS u (lexeme)
        WHERE
            ts_lexize('german_stem', replace(replace(replace(w.word, 'ae', 'ä'), 'oe', 'ö'), 'ue', 'ü')) <> '{}'
    ),

    known (language, anchor, lexeme, weight) AS (
        SELECT
            v.language,
            o.anchor,
            CASE v.language WHEN 'de' THEN regexp_replace(u.lexeme, '([aou])e', '\1', 'g') ELSE u.lexeme END,
            CASE WHEN 'A' = ANY(u.weights) THEN 1 ELSE 0.3 END
        FROM lead_protection.help_operations AS o
        CROSS JOIN LATERAL (VALUES ('en', o.search_en), ('de', o.search_de)) AS v (language, search)
        CROSS JOIN LATERAL unnest(v.search) AS u
    ),

    hits AS (
        SELECT
            k.language,
            k.anchor,
            a.lexeme,
            k.weight * CASE WHEN k.lexeme = a.lexeme THEN 1 ELSE 0.6 END AS weight,
            count(*) OVER (PARTITION BY k.language, a.lexeme) AS operations
        FROM asked AS a
        INNER JOIN known AS k
            ON
                a.language = k.language
                AND (
                    a.lexeme = k.lexeme
                    OR (
                        least(length(a.lexeme), length(k.lexeme)) >= 5
                        AND (starts_with(a.lexeme, k.lexeme) OR starts_with(k.lexeme, a.lexeme))
                    )
                )
    ),

    ranked AS (
        SELECT DISTINCT ON (s.anchor)
            s.anchor,
            s.language,
            s.relevance
        FROM (
            -- By the words that mean something: in its own language a question has fewer, for that one knows its
            -- fillers.
            SELECT
                w.language, w.anchor,
                sum(w.weight) / n.words AS relevance
            FROM (
                SELECT
                    h.language, h.anchor, h.lexeme,
                    max(h.weight * ln(1 + 30.0 / h.operations)) AS weight
                FROM hits AS h
                GROUP BY h.language, h.anchor, h.lexeme
            ) AS w
            INNER JOIN (
                SELECT a.language, count(*) AS words, count(*) FILTER (WHERE a.lexeme <> ALL (vague)) AS telling
                FROM asked AS a
                GROUP BY a.language
            ) AS n
                ON w.language = n.language
            WHERE find_help.language IS NULL OR w.language = find_help.language
            GROUP BY w.language, w.anchor, n.words, n.telling
            -- What shares a word or two with a question about something else is no answer: it has half of the words,
            -- not counting those that say what is wrong but not with what; or several that few operations have.
            HAVING
                (
                    count(*) FILTER (WHERE w.lexeme <> ALL (vague)) * 2 >= greatest(n.telling, 1)
                    AND sum(w.weight) >= 0.5 * n.words
                )
                OR sum(w.weight) >= 6
        ) AS s
        ORDER BY s.anchor, s.relevance DESC, s.language DESC
    )

    SELECT jsonb_agg(to_jsonb(b) ORDER BY b.relevance DESC, b.anchor) INTO found
    FROM (
        SELECT r.anchor, r.language, round(r.relevance, 2) AS relevance
        FROM ranked AS r
        WHERE r.relevance * 3 >= (SELECT max(m.relevance) FROM ranked AS m)
        ORDER BY r.relevance DESC, r.anchor
        LIMIT 5
    ) AS b;

    spoken := coalesce(find_help.language, found -> 0 ->> 'language', 'en');
    health := (
        SELECT
            jsonb_agg(
                (to_jsonb(h) - 'first_command') || jsonb_build_object('since', lead_protection.instant_text(h.since))
            )
        FROM lead_protection.health AS h
    );

    RETURN jsonb_build_object(
        'question', find_help.question,
        'language', spoken,
        'found', found IS NOT NULL,
        'operations', (
            SELECT
                jsonb_agg(
                    jsonb_build_object(
                        'anchor', o.anchor,
                        'runbook', 'docs/runbook.md#' || o.anchor,
                        'relevance', f.operation -> 'relevance',
                        'title', CASE spoken WHEN 'de' THEN o.title_de ELSE o.title END,
                        'summary', CASE spoken WHEN 'de' THEN o.summary_de ELSE o.summary END,
                        'business_context', o.business_context,
                        -- The name of a check in braces becomes what it counts, or, where it counts nothing, found.
                        'situation', (
                            SELECT
                                string_agg(
                                    coalesce(h.check_row ->> 'amount', h.check_row ->> 'found', p.part), ''
                                    ORDER BY p.nth
                                )
                            FROM regexp_split_to_table(
                                CASE spoken WHEN 'de' THEN o.situation_de ELSE o.situation END, '[{}]'
                            ) WITH ORDINALITY AS p (part, nth)
                            LEFT JOIN jsonb_array_elements(health) AS h (check_row)
                                ON p.nth % 2 = 0 AND p.part = h.check_row ->> 'check_name'
                        ),
                        'health', (
                            SELECT coalesce(jsonb_agg(h.check_row - 'runbook'), '[]')
                            FROM jsonb_array_elements(health) AS h (check_row)
                            WHERE h.check_row ->> 'runbook' = o.title
                        ),
                        'steps', (
                            SELECT
                                coalesce(
                                    jsonb_agg(
                                        CASE WHEN spoken = 'de'
                                            THEN s.step || jsonb_build_object('text', s.step -> 'text_de')
                                            ELSE s.step
                                        END - 'text_de'
                                        ORDER BY s.nth
                                    ),
                                    '[]'
                                )
                            FROM jsonb_array_elements(o.steps) WITH ORDINALITY AS s (step, nth)
                        ),
                        'troubleshooting', o.troubleshooting,
                        'next_steps', (
                            SELECT
                                coalesce(
                                    jsonb_agg(
                                        CASE
                                            WHEN spoken = 'de' AND t.title_de IS NOT NULL
                                                THEN n.step || jsonb_build_object('title', t.title_de)
                                            ELSE n.step
                                        END
                                        ORDER BY n.nth
                                    ),
                                    '[]'
                                )
                            FROM jsonb_array_elements(o.next_steps) WITH ORDINALITY AS n (step, nth)
                            LEFT JOIN lead_protection.help_operations AS t ON t.anchor = n.step ->> 'anchor'
                        )
                    )
                    ORDER BY f.nth
                )
            FROM jsonb_array_elements(
                coalesce(found, jsonb_build_array(jsonb_build_object('anchor', '30-second-summary', 'relevance', 0)))
            ) WITH ORDINALITY AS f (operation, nth)
            INNER JOIN lead_protection.help_operations AS o ON o.anchor = f.operation ->> 'anchor'
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.find_help(text, text) IS
'What to do, for the help system of an application (help() is for psql): takes a question in plain words, English or '
'German (1 to 1000 characters), and returns the operations of docs/runbook.md that answer it as one object, which '
'schemas/help/answer.json describes. language: en or de, for question, titles, summaries and situations (null, the '
'default: that in which the question finds most); the impact and the tables are in English. Umlauts may be written as '
'ae, oe and ue.
operations has 1 to 5 of them, the best first, each with title, summary, business_context, situation and health (how '
'it stands at this very moment), steps with their code, who may run it and what it needs of them (parameters: '
'variables of psql in the code, such as :lead_id), troubleshooting, next_steps and the place in the runbook. Nothing '
'is executed. Nothing that fits: found is false, and the one operation is the 30-second summary.
Changes nothing; repeated, it tells how things stand then. Answers on a standby. Errors: LP061 question blank or too '
'long, LP062 unknown language.';
