DROP TABLE lead_protection.lead_clocks CASCADE;
