CREATE OR REPLACE FUNCTION lead_protection.pushed_expiry(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    -- Another stop reaches into the open hold or lies ahead of it, or a clock was restarted during it, or it began
    -- after the expiry by the rule, while a notice was owed, or the clock counts by days: count all again.
    WHEN
        pushed_expiry.clock.open_hold_from <= pushed_expiry.as_of
        AND (
            upper(pushed_expiry.clock.stops) >= pushed_expiry.clock.open_hold_from
            OR pushed_expiry.clock.idle_from > pushed_expiry.clock.open_hold_from
            OR pushed_expiry.clock.noticed_at > pushed_expiry.clock.open_hold_from
            OR pushed_expiry.clock.open_hold_from >= pushed_expiry.clock.protection_expires_at
            OR pushed_expiry.clock.day_policy_id IS NOT NULL
        )
        THEN lead_protection.recounted_expiry(pushed_expiry.clock, pushed_expiry.as_of)
    -- Otherwise the open hold, if there is one in force, moves the expiry by the time that it has lasted.
    ELSE lead_protection.plus_elapsed(
        pushed_expiry.clock.protection_expires_at,
        greatest(pushed_expiry.as_of - pushed_expiry.clock.open_hold_from, INTERVAL '0')
    )
END;

COMMENT ON FUNCTION lead_protection.pushed_expiry(lead_protection.lead_clocks, timestamptz) IS
'The expiry of a clock as if the open hold in force, if there is one, ended at as_of; a notice that is owed is left '
'out. Null: the lead is free.';
