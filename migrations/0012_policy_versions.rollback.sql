-- Names are unique again.
UPDATE lead_protection.protection_policies
SET name = format('%s, version %s', name, version)
WHERE version > 1;
ALTER TABLE lead_protection.protection_policies
DROP CONSTRAINT protection_policies_version_unique,
ADD CONSTRAINT protection_policies_name_unique UNIQUE (name),
DROP CONSTRAINT protection_policies_rule_known,
ADD CONSTRAINT protection_policies_rule_known CHECK (rule IN ('sequential')) NOT VALID,
DROP COLUMN version,
DROP COLUMN notice_required,
DROP COLUMN extension_limit_days,
DROP COLUMN created_by;
