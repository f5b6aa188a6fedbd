CREATE OR REPLACE FUNCTION lead_protection.length_text(elapsed interval, language text, exact boolean DEFAULT false)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        CASE
            WHEN length_text.exact THEN lead_protection.elapsed_text(length_text.elapsed)
            WHEN length_text.elapsed = INTERVAL '0' THEN w.none
            ELSE coalesce(
                nullif(
                    concat_ws(
                        ' ',
                        CASE e.days WHEN 0 THEN NULL WHEN 1 THEN w.day ELSE e.days || w.days END,
                        CASE WHEN e.hours <> 0 THEN e.hours || w.hours END,
                        CASE WHEN e.minutes <> 0 THEN e.minutes || ' min' END
                    ),
                    ''
                ),
                w.short
            )
        END
    FROM (
        SELECT
            extract(DAY FROM justify_hours(length_text.elapsed)) AS days,
            extract(HOUR FROM justify_hours(length_text.elapsed)) AS hours,
            extract(MINUTE FROM justify_hours(length_text.elapsed)) AS minutes
    ) AS e
    INNER JOIN (
        VALUES
        ('en', '1 day', ' days', ' h', 'less than 1 min', 'nothing'),
        ('de', '1 Tag', ' Tage', ' Std.', 'weniger als 1 min', 'nichts')
    ) AS w (language, day, days, hours, short, none) ON length_text.language = w.language;
END;

COMMENT ON FUNCTION lead_protection.length_text(interval, text, boolean) IS
'An elapsed length (a day is 24 hours; no months) in words of a language, to the full minute; exact: to the '
'microsecond, in English. Internal.';
