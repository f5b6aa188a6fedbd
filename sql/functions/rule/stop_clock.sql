-- The stop-clock: one stop after another, each counted only if it begins before the end reached so far. In PL/pgSQL,
-- because a stop that begins after what the clock has reached, in the rest of the last protected day or in days that
-- the calendar added, moves that end and not what was reached: or the protection could end before the stop does.
-- The rights are the owner's: whoever may see a lead need not read policies and calendars.
CREATE OR REPLACE FUNCTION lead_protection.stop_clock(
    base_expires_at timestamptz, stops tstzmultirange, day_policy_id bigint
)
RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reached timestamptz := stop_clock.base_expires_at;
    ends_at timestamptz;
    stop tstzrange;
    zone text;
    by_days boolean := false;
    reached_day date;
    first_day date;
    last_day date;
    days integer := 0;
BEGIN
    IF isempty(stop_clock.stops) THEN
        RETURN stop_clock.base_expires_at;
    END IF;
    IF stop_clock.day_policy_id IS NOT NULL THEN
        SELECT p.time_zone, p.hold_unit = 'day' INTO zone, by_days
        FROM lead_protection.protection_policies AS p
        WHERE p.id = stop_clock.day_policy_id;
    END IF;

    FOR stop IN SELECT s FROM unnest(stop_clock.stops) AS s LOOP
        ends_at := CASE
            WHEN stop_clock.day_policy_id IS NULL THEN reached
            ELSE lead_protection.protection_end(reached, stop_clock.day_policy_id)
        END;
        EXIT WHEN lower(stop) >= ends_at;
        IF by_days THEN
            first_day := (lower(stop) AT TIME ZONE zone)::date;
            reached_day := (reached AT TIME ZONE zone)::date;
            IF first_day > reached_day THEN
                -- It begins in days that the calendar added: those have been granted.
                days := days + (ends_at AT TIME ZONE zone)::date - 1 - reached_day;
            END IF;
            -- A day that two stops touch counts once.
            first_day := greatest(first_day, last_day + 1);
            last_day := ((upper(stop) - INTERVAL '1 microsecond') AT TIME ZONE zone)::date;
            days := days + last_day - first_day + 1;
            reached := lead_protection.calendar_expiry(stop_clock.base_expires_at, zone, 0, days);
        ELSE
            reached := lead_protection.plus_elapsed(
                CASE WHEN lower(stop) < reached THEN reached ELSE ends_at END, upper(stop) - lower(stop)
            );
        END IF;
    END LOOP;
    RETURN reached;
END;
$$;

COMMENT ON FUNCTION lead_protection.stop_clock(timestamptz, tstzmultirange, bigint) IS
'What one clock reaches to with its stops, exact to the microsecond; protection_end() says when the protection ends '
'then. base_expires_at: without stops (null: null); stops: merged, bounded, none before its start (null: none); '
'day_policy_id: of lead_clocks, null if stops count by the time elapsed and end nothing but it; otherwise the policy '
'says how they count.';
