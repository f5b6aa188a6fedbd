DROP TABLE lead_protection.leads CASCADE;
