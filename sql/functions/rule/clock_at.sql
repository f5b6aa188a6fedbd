-- The rule, second half: what a clock shows at an instant. While no open hold pushes it and no notice is owed, that is
-- what it stores.
CREATE OR REPLACE FUNCTION lead_protection.clock_at(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS TABLE (protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        CASE
            WHEN clock_at.clock.owed_notice_days IS NOT NULL AND frozen.state = 'REMINDER_DUE'
                THEN lead_protection.awaited_expiry(clock_at.clock, expiry.expires_at, clock_at.as_of)
            ELSE expiry.expires_at
        END AS protection_expires_at,
        frozen.state,
        lead_protection.is_on_hold(clock_at.clock, clock_at.as_of) AS on_hold,
        CASE
            WHEN
                lead_protection.is_on_hold(clock_at.clock, clock_at.as_of)
                OR clock_at.clock.closed_at <= clock_at.as_of
                THEN NULL
            ELSE clock_at.clock.reminder_due_at
        END AS reminder_due_at
    FROM (
        SELECT
            CASE
                WHEN clock_at.clock.open_hold_from <= clock_at.as_of
                    THEN CASE
                        -- Another stop reaches into the open hold or lies ahead of it, or a clock was restarted during
                        -- it, or it began after the expiry by the rule, while a notice was owed: count all again.
                        WHEN
                            upper(clock_at.clock.stops) >= clock_at.clock.open_hold_from
                            OR clock_at.clock.idle_from > clock_at.clock.open_hold_from
                            OR clock_at.clock.noticed_at > clock_at.clock.open_hold_from
                            OR clock_at.clock.open_hold_from >= clock_at.clock.protection_expires_at
                            THEN lead_protection.recounted_expiry(clock_at.clock, clock_at.as_of)
                        -- Otherwise the open hold moves the expiry by the time that it has lasted.
                        ELSE lead_protection.plus_elapsed(
                            clock_at.clock.protection_expires_at, clock_at.as_of - clock_at.clock.open_hold_from
                        )
                    END
                ELSE clock_at.clock.protection_expires_at
            END AS expires_at
    ) AS expiry
    CROSS JOIN (
        SELECT
            lead_protection.protection_state(
                clock_at.clock,
                CASE
                    WHEN lead_protection.is_on_hold(clock_at.clock, clock_at.as_of)
                        -- Frozen where the clock stopped: where the stop in force begins, with one that it adjoins.
                        THEN coalesce(
                            (
                                SELECT lower(stop)
                                FROM unnest(clock_at.clock.stops) AS stop
                                WHERE
                                    least(clock_at.as_of, clock_at.clock.open_hold_from)
                                    BETWEEN lower(stop) AND upper(stop)
                            ),
                            clock_at.clock.open_hold_from
                        )
                    ELSE clock_at.as_of
                END,
                clock_at.as_of
            ) AS state
    ) AS frozen;
END;

COMMENT ON FUNCTION lead_protection.clock_at(lead_protection.lead_clocks, timestamptz) IS
'What a clock shows at as_of: one row of expiry (while on hold: as if the hold ended at as_of; while a notice is owed: '
'as if the reminder went out at as_of), state (while on hold: frozen where the clock stopped), on_hold, and when the '
'reminder falls due (null while on hold and once closed). Of a free lead neither is ever set.';
