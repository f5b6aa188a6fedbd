-- How long holds may be, by policy. The policies that there are set no limit.
-- depends: 0012_policy_versions

ALTER TABLE lead_protection.protection_policies
ADD COLUMN hold_limit_days integer,
ADD COLUMN hold_total_limit_days integer,
ADD CONSTRAINT protection_policies_hold_limit_sensible CHECK (hold_limit_days BETWEEN 1 AND 36500),
ADD CONSTRAINT protection_policies_hold_total_limit_sensible CHECK (hold_total_limit_days BETWEEN 1 AND 36500);

COMMENT ON COLUMN lead_protection.protection_policies.hold_limit_days IS 'Longest length of one hold, in days of 24 hours; null: no limit.';
COMMENT ON COLUMN lead_protection.protection_policies.hold_total_limit_days IS 'Longest time for which the holds of one protection together stop its clock, in days of 24 hours; null: no limit.';
