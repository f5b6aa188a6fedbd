CREATE OR REPLACE FUNCTION lead_protection.ship_calendars()
RETURNS integer
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT count(*) FILTER (WHERE p.created)::integer
    FROM (
        SELECT
            c.*,
            d.dates,
            d.names
        FROM lead_protection.shipped_calendars AS c
        INNER JOIN (
            SELECT
                s.code,
                array_agg(s.date ORDER BY s.date) AS dates,
                array_agg(s.name ORDER BY s.date) AS names
            FROM lead_protection.shipped_calendar_days() AS s
            GROUP BY s.code
        ) AS d ON c.code = d.code
        -- A fresh install and an upgrade give them the same numbers.
        ORDER BY c.code COLLATE "C"
    ) AS c
    CROSS JOIN LATERAL lead_protection.put_calendar_version(
        c.code, c.name, c.rest_days, c.first_year, c.last_year, c.dates, c.names, NULL, NULL
    ) AS p;
END;

COMMENT ON FUNCTION lead_protection.ship_calendars() IS
'Brings the shipped calendars to what this version of the package says: where a name, a day or a rest day differs from '
'the latest version of a calendar, it makes a new one, and leaves those that are there as they are. Returns how many '
'it made. Internal: apply calls it.';
