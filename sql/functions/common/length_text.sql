CREATE OR REPLACE FUNCTION lead_protection.length_text(elapsed interval, words jsonb)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whole CONSTANT interval := justify_hours(length_text.elapsed);
    days CONSTANT numeric := extract(DAY FROM whole);
    hours CONSTANT numeric := extract(HOUR FROM whole);
    minutes CONSTANT numeric := extract(MINUTE FROM whole);
BEGIN
    IF length_text.words ? 'exact' THEN
        RETURN lead_protection.elapsed_text(length_text.elapsed);
    ELSIF length_text.elapsed = INTERVAL '0' THEN
        RETURN length_text.words ->> 'length.nothing';
    END IF;
    RETURN coalesce(
        nullif(
            concat_ws(
                ' ',
                days || CASE days
                    WHEN 0 THEN NULL WHEN 1 THEN length_text.words ->> 'unit.day'
                    ELSE length_text.words ->> 'unit.days'
                END,
                CASE WHEN hours <> 0 THEN hours || (length_text.words ->> 'unit.hours') END,
                CASE WHEN minutes <> 0 THEN minutes || (length_text.words ->> 'unit.minutes') END
            ),
            ''
        ),
        length_text.words ->> 'length.short'
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.length_text(interval, jsonb) IS
'An elapsed length (a day is 24 hours; no months) in words, of words_of(), to the full minute. Internal.';
