CREATE OR REPLACE FUNCTION lead_protection.shipped_calendar_days()
RETURNS TABLE (code text, date date, name text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Easter once a year, and not for each feast of each state.
    WITH years AS MATERIALIZED (
        SELECT
            y.year,
            lead_protection.easter_sunday(y.year) AS easter
        FROM (
            SELECT
                min(c.first_year) AS first_year,
                max(c.last_year) AS last_year
            FROM lead_protection.shipped_calendars AS c
        ) AS c
        CROSS JOIN LATERAL generate_series(c.first_year, c.last_year) AS y (year)
    ),

    holidays AS MATERIALIZED (
        SELECT
            r.country,
            r.states,
            r.name,
            y.year,
            CASE
                WHEN r.easter_offset IS NOT NULL THEN y.easter + r.easter_offset
                ELSE
                    make_date(y.year, r.month, r.day)
                    -- back to the weekday
                    - coalesce(
                        (extract(ISODOW FROM make_date(y.year, r.month, r.day))::integer - r.weekday + 7) % 7, 0
                    )
            END AS date
        FROM lead_protection.holiday_rules AS r
        INNER JOIN years AS y
            ON y.year >= coalesce(r.first_year, y.year) AND y.year <= coalesce(r.last_year, y.year)
    )

    SELECT
        c.code,
        h.date,
        string_agg(DISTINCT h.name COLLATE "C", '; ' ORDER BY h.name COLLATE "C") AS name
    FROM holidays AS h
    INNER JOIN lead_protection.shipped_calendars AS c
        ON
            h.country = c.country
            AND (h.states IS NULL OR c.state = any(h.states))
            AND h.year BETWEEN c.first_year AND c.last_year
    GROUP BY c.code, h.date;
END;

COMMENT ON FUNCTION lead_protection.shipped_calendar_days() IS
'The days of the shipped calendars, counted from holiday_rules; where two holidays fall on one day, both names with a '
'semicolon between. Internal.';
