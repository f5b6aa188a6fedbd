-- In PL/pgSQL, which evaluates only what a clock needs, like clock_at().
CREATE OR REPLACE FUNCTION lead_protection.stopped_time_left(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS interval
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waits boolean := false;
    expires_at timestamptz;
BEGIN
    IF NOT isfinite(stopped_time_left.as_of) THEN
        RETURN NULL;
    ELSIF
        stopped_time_left.clock.open_hold_from <= stopped_time_left.as_of
        AND lead_protection.is_plainly_held(stopped_time_left.clock)
    THEN
        RETURN stopped_time_left.clock.protection_expires_at - stopped_time_left.clock.open_hold_from;
    ELSIF
        -- It stands still until the planned end of its last stop, which is in the expiry.
        stopped_time_left.clock.runs_from > stopped_time_left.as_of
        AND stopped_time_left.clock.stops
        @> tstzrange(
            least(stopped_time_left.as_of, stopped_time_left.clock.runs_from), stopped_time_left.clock.runs_from
        )
        AND stopped_time_left.clock.day_policy_id IS NULL AND stopped_time_left.clock.owed_notice_days IS NULL
    THEN
        RETURN stopped_time_left.clock.protection_expires_at - stopped_time_left.clock.runs_from;
    END IF;
    IF stopped_time_left.clock.owed_notice_days IS NOT NULL THEN
        SELECT s.state IN ('REMINDER_DUE', 'GRACE') INTO waits
        FROM lead_protection.clock_at(stopped_time_left.clock, stopped_time_left.as_of) AS s;
    END IF;
    -- Counted anew, as if what is in force ended now, and nothing were planned.
    stopped_time_left.clock.stops := stopped_time_left.clock.stops
        * tstzmultirange(tstzrange(NULL, stopped_time_left.as_of));
    stopped_time_left.clock.open_hold_from := least(
        stopped_time_left.clock.open_hold_from, stopped_time_left.as_of
    );
    expires_at := lead_protection.recounted_expiry(stopped_time_left.clock, stopped_time_left.as_of);
    IF waits THEN
        expires_at := lead_protection.awaited_expiry(stopped_time_left.clock, expires_at, stopped_time_left.as_of);
    END IF;
    RETURN expires_at - stopped_time_left.as_of;
END;
$$;

COMMENT ON FUNCTION lead_protection.stopped_time_left(lead_protection.lead_clocks, timestamptz) IS
'What is left of a clock that stands still at as_of, or will: as if what stops it ended then, and nothing were '
'planned. Of one that counts by days and is held plainly: what was left when it stopped. Null at infinity.';
