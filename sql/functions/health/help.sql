CREATE OR REPLACE FUNCTION lead_protection.help(question text, language text DEFAULT NULL)
RETURNS TABLE (section text, step integer, run_as text, words text, sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
ROWS 20
AS $$
    WITH answer AS (
        SELECT lead_protection.find_help(help.question, help.language) AS found
    ),

    operations AS (
        SELECT o.operation, o.nth, a.found ->> 'language' AS spoken, (a.found ->> 'found')::boolean AS fits
        FROM answer AS a
        CROSS JOIN LATERAL jsonb_array_elements(a.found -> 'operations') WITH ORDINALITY AS o (operation, nth)
    ),

    shown AS (
        -- What it is about, and how it stands now.
        SELECT
            o.nth, 0 AS step, o.operation ->> 'title' AS section, NULL AS run_as,
            concat_ws(
                E'\n',
                CASE
                    WHEN o.fits THEN NULL
                    WHEN o.spoken = 'de' THEN 'Dazu steht hier nichts. Wo man anfängt:'
                    ELSE 'Nothing here is about that. Where to begin:'
                END,
                o.operation ->> 'summary', nullif(o.operation ->> 'situation', '')
            ) AS words,
            NULL AS sql
        FROM operations AS o
        WHERE o.nth = 1
        UNION ALL
        SELECT
            o.nth, s.step::integer, o.operation ->> 'title', s.part ->> 'run_as', s.part ->> 'text', s.part ->> 'code'
        FROM operations AS o
        CROSS JOIN LATERAL jsonb_array_elements(o.operation -> 'steps') WITH ORDINALITY AS s (part, step)
        WHERE o.nth = 1
        UNION ALL
        -- The others by their titles, which are questions that find them.
        SELECT o.nth, NULL, o.operation ->> 'title', NULL, o.operation ->> 'summary', NULL
        FROM operations AS o
        WHERE o.nth > 1
    )

    SELECT s.section, s.step, s.run_as, s.words, rtrim(s.sql, E'\n')
    FROM shown AS s
    ORDER BY s.nth, s.step;
$$;

COMMENT ON FUNCTION lead_protection.help(text, text) IS
'What to do, for psql: takes a question in plain words, English or German (1 to 1000 characters), and shows the '
'section of docs/runbook.md that answers it best, a row for each of its steps, and below it the titles and summaries '
'of others that may be meant. language: en or de (null, the default: that in which the question finds most).
step 0 says what the matter is and how it stands; then 1 to n in their order: words, sql (or a line for the shell) '
'and run_as, who may run it (operator: a member of lead_protection_operator; owner; owner in the cron database; '
'privacy: a member of lead_protection_privacy); null '
'without sql. step is null for other sections. A comment in the first line of sql says which variables of psql it '
'needs. Nothing is executed. Nothing that fits: it says so, and shows the 30-second summary.
Changes nothing; repeated, it tells how things stand then. Answers on a standby. Errors: LP061 question blank or too '
'long, LP062 unknown language.';
