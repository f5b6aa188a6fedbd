CREATE OR REPLACE FUNCTION lead_protection.elapsed_text(elapsed interval)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        coalesce(
            nullif(
                concat_ws(
                    ' ',
                    CASE e.days WHEN 0 THEN NULL WHEN 1 THEN '1 day' ELSE e.days || ' days' END,
                    CASE WHEN e.hours <> 0 THEN e.hours || ' h' END,
                    CASE WHEN e.minutes <> 0 THEN e.minutes || ' min' END,
                    CASE WHEN e.seconds <> 0 THEN trim_scale(e.seconds) || ' s' END
                ),
                ''
            ),
            '0 s'
        )
    FROM (
        SELECT
            extract(DAY FROM justify_hours(elapsed_text.elapsed)) AS days,
            extract(HOUR FROM justify_hours(elapsed_text.elapsed)) AS hours,
            extract(MINUTE FROM justify_hours(elapsed_text.elapsed)) AS minutes,
            extract(SECOND FROM justify_hours(elapsed_text.elapsed)) AS seconds
    ) AS e;
END;

COMMENT ON FUNCTION lead_protection.elapsed_text(interval) IS
'An elapsed length (a day is 24 hours; no months) in words, exact to the microsecond, whatever the session''s '
'IntervalStyle: 20 days 3 h. Internal.';
