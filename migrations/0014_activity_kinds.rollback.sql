DROP TABLE lead_protection.activity_kinds;
