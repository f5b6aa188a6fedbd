DROP TABLE lead_protection.protection_policies CASCADE;
