CREATE OR REPLACE FUNCTION lead_protection.awaited_expiry(
    clock lead_protection.lead_clocks, expires_at timestamptz, as_of timestamptz
)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(
    expires_at, lead_protection.calendar_expiry(as_of, clock.owed_notice_zone, 0, clock.owed_notice_days)
);

COMMENT ON FUNCTION lead_protection.awaited_expiry(lead_protection.lead_clocks, timestamptz, timestamptz) IS
'The expiry of a clock whose notice is due and not yet given, as if the reminder went out at as_of. expires_at: its expiry by the rule.';
