DROP TABLE lead_protection.job_runs CASCADE;
