ALTER TABLE lead_protection.job_runs
DROP COLUMN steps, DROP COLUMN lead_ids, DROP COLUMN as_of, DROP COLUMN batch_size, DROP COLUMN keep,
DROP COLUMN error_detail, DROP COLUMN error_hint;
DROP TABLE lead_protection.passed_over_leads;
DROP TABLE lead_protection.lock_rows;
