-- One interval of months and days: PostgreSQL adds the months first, then the days, on the local calendar.
-- A local time that the clock change skips is read with the offset before it, one that it repeats as the later.
CREATE OR REPLACE FUNCTION lead_protection.base_expiry(
    started_at timestamptz, policy lead_protection.protection_policies
)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    (started_at AT TIME ZONE policy.time_zone)
    + make_interval(months => policy.base_months, days => policy.extension_days + policy.grace_days)
) AT TIME ZONE policy.time_zone;

COMMENT ON FUNCTION lead_protection.base_expiry(timestamptz, lead_protection.protection_policies) IS
'Expiry without any stop: the start plus the policy''s months and days on the wall clock of the policy''s time zone, turned back into an instant.';
