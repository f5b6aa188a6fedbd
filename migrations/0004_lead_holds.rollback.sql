DROP TABLE lead_protection.lead_holds CASCADE;
