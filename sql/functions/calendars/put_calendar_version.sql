CREATE OR REPLACE FUNCTION lead_protection.put_calendar_version(
    OUT calendar_id bigint,
    INOUT code text,
    name text,
    rest_days integer[],
    first_year integer,
    last_year integer,
    dates date[],
    names text[],
    based_on bigint,
    actor_id bigint,
    OUT version integer,
    OUT created boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    latest lead_protection.calendars;
BEGIN
    -- Whoever comes second finds its number taken and looks again: it may want the very version that was just made.
    LOOP
        SELECT c.* INTO latest
        FROM lead_protection.calendars AS c
        WHERE c.code = put_calendar_version.code
        ORDER BY c.version DESC
        LIMIT 1;
        created := false;
        EXIT WHEN (latest.name, latest.rest_days, latest.first_year, latest.last_year, latest.based_on)
            IS NOT DISTINCT FROM (
                put_calendar_version.name, put_calendar_version.rest_days, put_calendar_version.first_year,
                put_calendar_version.last_year, put_calendar_version.based_on
            )
            AND (
                SELECT
                    coalesce(array_agg(d.date ORDER BY d.date), '{}') = put_calendar_version.dates
                    AND coalesce(array_agg(d.name ORDER BY d.date), '{}') = put_calendar_version.names
                FROM lead_protection.calendar_days AS d
                WHERE d.calendar_id = latest.id
            );

        INSERT INTO lead_protection.calendars AS c (
            code, version, name, rest_days, first_year, last_year, based_on, created_by
        )
        VALUES (
            put_calendar_version.code, coalesce(latest.version, 0) + 1, put_calendar_version.name,
            put_calendar_version.rest_days, put_calendar_version.first_year, put_calendar_version.last_year,
            put_calendar_version.based_on, put_calendar_version.actor_id
        )
        ON CONFLICT ON CONSTRAINT calendars_version_unique DO NOTHING
        RETURNING c.* INTO latest;
        created := FOUND;
        EXIT WHEN created;
    END LOOP;
    IF created THEN
        INSERT INTO lead_protection.calendar_days (calendar_id, date, name)
        SELECT latest.id, d.date, d.name
        FROM unnest(put_calendar_version.dates, put_calendar_version.names) AS d (date, name);
    END IF;
    calendar_id := latest.id;
    code := latest.code;
    version := latest.version;
END;
$$;

COMMENT ON FUNCTION lead_protection.put_calendar_version(
    text, text, integer[], integer, integer, date[], text[], bigint, bigint
) IS
'Writes a version of a calendar, unless the latest of that code is the same. dates in order, names beside them; what '
'is given is checked already. Internal.';
