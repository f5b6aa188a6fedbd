CREATE OR REPLACE FUNCTION lead_protection.rule_expiry(
    base_expires_at timestamptz, idle_from timestamptz, idle_base_expires_at timestamptz, stops tstzmultirange,
    day_policy_id bigint
)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    -- Most clocks never stop: nothing is called for them. least() passes over the idle clock where there is none.
    WHEN isempty(rule_expiry.stops) AND rule_expiry.day_policy_id IS NULL
        THEN least(rule_expiry.base_expires_at, rule_expiry.idle_base_expires_at)
    ELSE lead_protection.protection_end(
        least(
            lead_protection.stop_clock(rule_expiry.base_expires_at, rule_expiry.stops, rule_expiry.day_policy_id),
            CASE
                WHEN rule_expiry.idle_from IS NOT NULL
                    THEN lead_protection.stop_clock(
                        rule_expiry.idle_base_expires_at,
                        rule_expiry.stops * tstzmultirange(tstzrange(rule_expiry.idle_from, NULL)),
                        rule_expiry.day_policy_id
                    )
            END
        ),
        rule_expiry.day_policy_id
    )
END;

COMMENT ON FUNCTION lead_protection.rule_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange, bigint) IS
'The expiry by the rule. Sequential (idle_from null): that of the base clock. Parallel: the earlier of the base clock '
'and of the idle clock, which only stops from idle_from on move. stops: merged, bounded, none before the start; '
'day_policy_id: of lead_clocks.';
