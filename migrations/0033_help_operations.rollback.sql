DROP TABLE lead_protection.help_operations CASCADE;
