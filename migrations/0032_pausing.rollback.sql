ALTER TABLE lead_protection.job_runs DROP COLUMN application_name;
DROP TYPE lead_protection.pause_result CASCADE;
DROP TABLE lead_protection.pause_log CASCADE;
ALTER TABLE lead_protection.settings DROP COLUMN paused_at, DROP COLUMN paused_by, DROP COLUMN pause_reason;
