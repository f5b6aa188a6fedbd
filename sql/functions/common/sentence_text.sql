CREATE OR REPLACE FUNCTION lead_protection.sentence_text(
    sentences jsonb, language text, time_zone text, exact boolean DEFAULT false
)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT string_agg(w.words, ' ' ORDER BY s.ordinality)
        FROM jsonb_array_elements(sentence_text.sentences) WITH ORDINALITY AS s (sentence, ordinality)
        INNER JOIN lead_protection.statement_texts AS t
            ON t.code = s.sentence ->> 'code' AND t.language = sentence_text.language
        -- A text is taken apart into literal words and what stands for a parameter: what a parameter says is never
        -- looked at again.
        CROSS JOIN LATERAL (
            SELECT
                string_agg(
                    p.part[1] || coalesce(
                        lead_protection.value_text(
                            s.sentence -> 'parameters' ->> p.part[2], coalesce(p.part[3], 'plain'),
                            sentence_text.language, sentence_text.time_zone, sentence_text.exact
                        ),
                        ''
                    ),
                    '' ORDER BY p.ordinality
                ) AS words
            FROM regexp_matches(t.text, '([^{]*)(?:[{]([a-z_]+)(?::([a-z_]+))?[}])?', 'g')
                WITH ORDINALITY AS p (part, ordinality)
        ) AS w
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.sentence_text(jsonb, text, text, boolean) IS
'Sentences of sentence() in words of a language, with instants in time_zone; exact: to the microsecond. Internal.';
