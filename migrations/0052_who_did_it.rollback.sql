ALTER TABLE lead_protection.settings DROP COLUMN for_drills;
ALTER TABLE lead_protection.protection_policies DROP COLUMN approval_by_another;
ALTER TABLE lead_protection.leads DROP COLUMN session_role, DROP COLUMN application_name;
ALTER TABLE lead_protection.protection_log DROP COLUMN session_role, DROP COLUMN application_name;
