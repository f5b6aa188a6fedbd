DROP TABLE lead_protection.lead_extensions;
