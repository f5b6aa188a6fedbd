ALTER TABLE lead_protection.job_runs DROP COLUMN stepped_at;
ALTER TABLE lead_protection.settings DROP COLUMN events_ahead_until;
