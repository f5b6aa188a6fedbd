CREATE OR REPLACE FUNCTION lead_protection.rule_expiry(
    base_expires_at timestamptz, idle_from timestamptz, idle_base_expires_at timestamptz, stops tstzmultirange
)
RETURNS TABLE (expires_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    -- least() passes over the idle clock where there is none.
    SELECT least(base.expires_at, idle.expires_at)
    FROM lead_protection.stop_clock(rule_expiry.base_expires_at, rule_expiry.stops) AS base
    CROSS JOIN lead_protection.stop_clock(
        rule_expiry.idle_base_expires_at,
        CASE
            WHEN rule_expiry.idle_from IS NOT NULL
                THEN rule_expiry.stops * tstzmultirange(tstzrange(rule_expiry.idle_from, NULL))
        END
    ) AS idle;
END;

COMMENT ON FUNCTION lead_protection.rule_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange) IS
'One row: the expiry by the rule. Sequential (idle_from null): that of the base clock. Parallel: the earlier of the '
'base clock and of the idle clock, which only stops from idle_from on move. stops: merged, bounded, none before the '
'start.';
