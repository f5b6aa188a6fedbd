CREATE OR REPLACE FUNCTION lead_protection.sentence_text(sentences jsonb, words jsonb, time_zone text)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT string_agg(w.sentence, ' ' ORDER BY s.ordinality)
        FROM jsonb_array_elements(sentence_text.sentences) WITH ORDINALITY AS s (sentence, ordinality)
        -- A text is taken apart into literal words and what stands for a parameter: what a parameter says is never
        -- looked at again.
        CROSS JOIN LATERAL (
            SELECT
                string_agg(
                    p.part[1] || coalesce(
                        lead_protection.value_text(
                            s.sentence -> 'parameters' ->> p.part[2], coalesce(p.part[3], 'plain'),
                            sentence_text.words, sentence_text.time_zone
                        ),
                        ''
                    ),
                    '' ORDER BY p.ordinality
                ) AS sentence
            FROM regexp_matches(
                sentence_text.words ->> (s.sentence ->> 'code'), '([^{]*)(?:[{]([a-z_]+)(?::([a-z_]+))?[}])?', 'g'
            ) WITH ORDINALITY AS p (part, ordinality)
        ) AS w
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.sentence_text(jsonb, jsonb, text) IS
'Sentences of sentence() in words, of words_of(), with instants in time_zone. Internal.';
