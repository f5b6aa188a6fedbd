DROP TABLE lead_protection.settings;
