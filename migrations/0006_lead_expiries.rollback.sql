DROP TABLE lead_protection.lead_expiries CASCADE;
