DROP TYPE lead_protection.job_progress CASCADE;
