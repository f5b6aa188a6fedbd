DROP INDEX lead_protection.job_runs_running;
DROP INDEX lead_protection.lead_holds_open_start;
DROP INDEX lead_protection.lead_expiries_standing;
