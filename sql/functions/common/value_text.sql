CREATE OR REPLACE FUNCTION lead_protection.value_text(
    value text, kind text, language text, time_zone text, exact boolean
)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_german CONSTANT boolean := value_text.language = 'de';
BEGIN
    RETURN CASE value_text.kind
        WHEN 'plain' THEN value_text.value
        WHEN 'instant' THEN CASE
            WHEN value_text.exact THEN lead_protection.local_text(value_text.value::timestamptz, value_text.time_zone)
            WHEN is_german
                THEN to_char(
                    value_text.value::timestamptz AT TIME ZONE value_text.time_zone, 'DD.MM.YYYY, HH24:MI "Uhr"'
                )
            ELSE to_char(value_text.value::timestamptz AT TIME ZONE value_text.time_zone, 'YYYY-MM-DD HH24:MI')
        END
        WHEN 'date' THEN CASE
            WHEN is_german THEN to_char(value_text.value::date, 'DD.MM.YYYY')
            ELSE to_char(value_text.value::date, 'YYYY-MM-DD')
        END
        WHEN 'months' THEN value_text.value || CASE
            WHEN is_german THEN CASE WHEN value_text.value = '1' THEN ' Monat' ELSE ' Monate' END
            ELSE CASE WHEN value_text.value = '1' THEN ' month' ELSE ' months' END
        END
        WHEN 'days' THEN value_text.value || CASE
            WHEN is_german THEN CASE WHEN value_text.value = '1' THEN ' Tag' ELSE ' Tage' END
            ELSE CASE WHEN value_text.value = '1' THEN ' day' ELSE ' days' END
        END
        WHEN 'elapsed' THEN lead_protection.length_text(
            make_interval(secs => value_text.value::double precision), value_text.language, value_text.exact
        )
        -- A word of the language.
        ELSE coalesce(
            (
                SELECT t.text
                FROM lead_protection.statement_texts AS t
                WHERE t.code = value_text.kind || '.' || value_text.value AND t.language = value_text.language
            ),
            value_text.value
        )
    END;
END;
$$;

COMMENT ON FUNCTION lead_protection.value_text(text, text, text, text, boolean) IS
'A parameter of a sentence in words. kind: plain; instant, in time_zone; date; months, days: a number; elapsed: seconds; '
'else a group of words of statement_texts, such as state. exact: instants and lengths to the microsecond. Null if value '
'is. Internal.';
