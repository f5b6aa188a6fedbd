-- The rule, second half: what a clock shows at an instant. While no open hold pushes it and no notice is owed, that is
-- what it stores. In PL/pgSQL, which evaluates only what a clock needs: inlined into a query, all of it is planned with
-- each statement, and runs at half the speed.
CREATE OR REPLACE FUNCTION lead_protection.clock_at(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS TABLE (protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stands_at timestamptz := clock_at.as_of;
BEGIN
    clock_at.on_hold := lead_protection.is_on_hold(clock_at.clock, clock_at.as_of);
    IF clock_at.on_hold THEN
        -- Frozen where the clock stopped: where the stop in force begins, with one that it adjoins.
        stands_at := coalesce(
            (
                SELECT lower(stop)
                FROM unnest(clock_at.clock.stops) AS stop
                WHERE least(clock_at.as_of, clock_at.clock.open_hold_from) BETWEEN lower(stop) AND upper(stop)
            ),
            clock_at.clock.open_hold_from
        );
    END IF;
    clock_at.state := lead_protection.protection_state(clock_at.clock, stands_at, clock_at.as_of);
    clock_at.protection_expires_at := lead_protection.pushed_expiry(clock_at.clock, clock_at.as_of);
    IF clock_at.clock.owed_notice_days IS NOT NULL AND clock_at.state IN ('REMINDER_DUE', 'GRACE') THEN
        clock_at.protection_expires_at := lead_protection.awaited_expiry(
            clock_at.clock, clock_at.protection_expires_at, clock_at.as_of
        );
    END IF;
    IF NOT clock_at.on_hold AND (clock_at.clock.closed_at <= clock_at.as_of) IS NOT TRUE THEN
        clock_at.reminder_due_at := clock_at.clock.reminder_due_at;
    END IF;
    RETURN NEXT;
END;
$$;

COMMENT ON FUNCTION lead_protection.clock_at(lead_protection.lead_clocks, timestamptz) IS
'What a clock shows at as_of: one row of expiry (while on hold: as if the hold ended at as_of; while a notice is owed: '
'as if it were given at as_of), state (while on hold: frozen where the clock stopped), on_hold, and when the '
'reminder falls due (null while on hold and once closed). Of a free lead neither is ever set.';
