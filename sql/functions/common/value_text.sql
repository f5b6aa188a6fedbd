CREATE OR REPLACE FUNCTION lead_protection.value_text(value text, kind text, words jsonb, time_zone text)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE value_text.kind
        WHEN 'plain' THEN value_text.value
        WHEN 'instant' THEN CASE
            WHEN value_text.words ? 'exact'
                THEN lead_protection.local_text(value_text.value::timestamptz, value_text.time_zone)
            ELSE to_char(
                value_text.value::timestamptz AT TIME ZONE value_text.time_zone, value_text.words ->> 'form.instant'
            )
        END
        WHEN 'date' THEN to_char(value_text.value::date, value_text.words ->> 'form.date')
        WHEN 'months' THEN value_text.value || (
            value_text.words ->> CASE value_text.value WHEN '1' THEN 'unit.month' ELSE 'unit.months' END
        )
        WHEN 'days' THEN value_text.value || (
            value_text.words ->> CASE value_text.value WHEN '1' THEN 'unit.day' ELSE 'unit.days' END
        )
        WHEN 'elapsed' THEN lead_protection.length_text(
            make_interval(secs => value_text.value::double precision), value_text.words
        )
        ELSE coalesce(value_text.words ->> (value_text.kind || '.' || value_text.value), value_text.value)
    END;
END;
$$;

COMMENT ON FUNCTION lead_protection.value_text(text, text, jsonb, text) IS
'A parameter of a sentence in words, of words_of(). kind: plain; instant, in time_zone; date; months, days: a number; '
'elapsed: seconds; else a group of words, such as state. Null if value is. Internal.';
