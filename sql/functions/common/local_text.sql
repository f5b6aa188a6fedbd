CREATE OR REPLACE FUNCTION lead_protection.local_text(instant timestamptz, time_zone text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        to_char(
            l.wall_clock,
            'YYYY-MM-DD HH24:MI' || CASE
                WHEN l.wall_clock = date_trunc('minute', l.wall_clock) THEN ''
                WHEN l.wall_clock = date_trunc('second', l.wall_clock) THEN ':SS'
                ELSE ':SS.US'
            END
        )
    FROM (SELECT local_text.instant AT TIME ZONE local_text.time_zone AS wall_clock) AS l;
END;

COMMENT ON FUNCTION lead_protection.local_text(timestamptz, text) IS
'An instant as people of a time zone read it from the clock, without the name of the zone, whatever the session''s '
'settings: 2026-09-23 10:00, with seconds and microseconds where it has some. Null if either is null. Internal.';
