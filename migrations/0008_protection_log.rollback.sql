DROP TABLE lead_protection.protection_log CASCADE;
