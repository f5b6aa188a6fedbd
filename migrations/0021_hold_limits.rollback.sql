ALTER TABLE lead_protection.protection_policies DROP COLUMN hold_limit_days, DROP COLUMN hold_total_limit_days;
