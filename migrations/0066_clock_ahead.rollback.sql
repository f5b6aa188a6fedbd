ALTER TABLE lead_protection.job_runs DROP COLUMN stepped_at;
