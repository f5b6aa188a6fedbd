-- Locks that only we can take, what a run of a job has still to do, and the leads that it found locked.
-- depends: 0050_bound_constraints

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE lead_protection.lock_rows (
    lock_name text CONSTRAINT lock_rows_pkey PRIMARY KEY
);

COMMENT ON TABLE lead_protection.lock_rows IS
'A row for each lock that is not a lead''s: whoever locks the row has it. An advisory lock could be taken by anybody '
'who '
'may connect; a row of ours by nobody whom we do not let. The rows never change. Internal.';
COMMENT ON COLUMN lead_protection.lock_rows.lock_name IS
'A job: one of its runs is in a transaction. policy of user N: somebody gives that user a policy.';

INSERT INTO lead_protection.lock_rows (lock_name)
VALUES
('lead-protection-reminders'),
('lead-protection-nightly'),
('lead-protection-metrics');

-- No foreign key: the pipeline locks the lead's row as little as it can.
CREATE TABLE lead_protection.passed_over_leads (
    lead_id bigint NOT NULL,
    job_name text NOT NULL,
    step text NOT NULL,
    since timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT passed_over_leads_pkey PRIMARY KEY (job_name, lead_id)
);

COMMENT ON TABLE lead_protection.passed_over_leads IS
'Leads that the last run of a job had something to do for and found locked by another session. The next run tries '
'again, and takes out what it could do. health names those that wait for long. Internal: v_passed_over_leads shows who '
'holds them.';
COMMENT ON COLUMN lead_protection.passed_over_leads.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.passed_over_leads.job_name IS 'The job, as in job_definitions.';
COMMENT ON COLUMN lead_protection.passed_over_leads.step IS 'What it had to do, as in job_definitions.steps.';
COMMENT ON COLUMN lead_protection.passed_over_leads.since IS
'When it was first passed over, all runs since then included.';
COMMENT ON COLUMN lead_protection.passed_over_leads.last_at IS 'When it was last passed over.';

ALTER TABLE lead_protection.job_runs
ADD COLUMN steps text[],
ADD COLUMN lead_ids bigint[],
ADD COLUMN as_of timestamptz,
ADD COLUMN batch_size integer,
ADD COLUMN keep interval,
ADD COLUMN error_detail text,
ADD COLUMN error_hint text;

COMMENT ON COLUMN lead_protection.job_runs.steps IS
'What the run has still to do, the step at work first, as in job_definitions.steps; null: it has ended.';
COMMENT ON COLUMN lead_protection.job_runs.lead_ids IS
'While it sends reminders: the leads of whose reminders it has still to take care.';
COMMENT ON COLUMN lead_protection.job_runs.as_of IS 'A drill: the instant for which it decides; null: now.';
COMMENT ON COLUMN lead_protection.job_runs.batch_size IS 'How many leads it handles in one transaction.';
COMMENT ON COLUMN lead_protection.job_runs.keep IS 'What is older than this is deleted by it; of no meaning for the '
'pipeline.';
COMMENT ON COLUMN lead_protection.job_runs.error_detail IS 'The DETAIL of the error.';
COMMENT ON COLUMN lead_protection.job_runs.error_hint IS 'The HINT of the error.';
COMMENT ON COLUMN lead_protection.job_runs.result IS
'What it did, as counts; skipped_locked: leads that it left because others held them locked; waiting: why it did '
'nothing (more), such as a pause.';
