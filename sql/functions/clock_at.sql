-- The rule, second half: what a clock shows at an instant.
CREATE OR REPLACE FUNCTION lead_protection.clock_at(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS TABLE (protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
AS $$
SELECT
    CASE
        WHEN NOT hold.is_open THEN clock.protection_expires_at
        -- Another stop reaches into the open one or lies ahead of it: count them all again.
        WHEN upper(clock.stops) >= clock.open_hold_from
            THEN lead_protection.protection_expiry(
                clock.base_expires_at,
                clock.stops + tstzmultirange(tstzrange(clock.open_hold_from, moment.at))
            )
        -- Otherwise the open hold moves the expiry by the time it has lasted.
        ELSE lead_protection.plus_elapsed(clock.protection_expires_at, moment.at - clock.open_hold_from)
    END AS protection_expires_at,
    lead_protection.protection_state(
        clock,
        CASE
            WHEN NOT hold.in_force THEN moment.at
            -- Frozen where the clock stopped: the beginning of the stop, together with one that it adjoins.
            ELSE coalesce(
                (
                    SELECT lower(stop)
                    FROM unnest(clock.stops) AS stop
                    WHERE
                        CASE WHEN hold.is_open THEN clock.open_hold_from ELSE moment.at END
                        BETWEEN lower(stop) AND upper(stop)
                ),
                clock.open_hold_from
            )
        END,
        as_of
    ) AS state,
    hold.in_force AND NOT moment.is_closed AS on_hold,
    CASE WHEN NOT hold.in_force AND NOT moment.is_closed THEN clock.reminder_due_at END AS reminder_due_at
FROM (
    -- Closing a lead ends its clock.
    SELECT
        least(as_of, clock.closed_at) AS at,
        coalesce(clock.closed_at <= as_of, false) AS is_closed
) AS moment
CROSS JOIN LATERAL (
    SELECT
        coalesce(clock.open_hold_from <= moment.at, false) AS is_open,
        coalesce(clock.open_hold_from <= moment.at, false)
        OR (clock.stops @> moment.at AND moment.at < clock.protection_expires_at) AS in_force
) AS hold
$$;

COMMENT ON FUNCTION lead_protection.clock_at(lead_protection.lead_clocks, timestamptz) IS
'What a clock shows at as_of: one row of expiry (while on hold: as if the hold ended at as_of), state (while on hold: frozen where the clock stopped), on_hold, and when the reminder falls due (null while on hold and once closed).';
