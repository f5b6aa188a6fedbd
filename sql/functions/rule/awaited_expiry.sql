-- A function of its own, called when it is needed: inlined, it would make the planner take every list for a long one.
CREATE OR REPLACE FUNCTION lead_protection.awaited_expiry(
    clock lead_protection.lead_clocks, expires_at timestamptz, as_of timestamptz
)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        lead_protection.noticed_expiry(
            awaited_expiry.expires_at,
            awaited_expiry.as_of,
            lead_protection.calendar_expiry(
                awaited_expiry.as_of, awaited_expiry.clock.owed_notice_zone, 0, awaited_expiry.clock.owed_notice_days
            ),
            awaited_expiry.clock.stops,
            awaited_expiry.clock.day_policy_id
        )
    -- Not inlined with this.
    LIMIT 1;
END;

COMMENT ON FUNCTION lead_protection.awaited_expiry(lead_protection.lead_clocks, timestamptz, timestamptz) IS
'The expiry of a clock whose notice is due and not yet given, as if it were given at as_of. expires_at: its expiry by '
'the rule.';
