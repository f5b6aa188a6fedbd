-- What health looks at, without reading all that ever was: recent expiries, the oldest open holds, runs at work.
-- depends: 0004_lead_holds 0006_lead_expiries 0010_job_runs 0022_hold_corrections

CREATE INDEX lead_expiries_standing ON lead_protection.lead_expiries (recorded_at) WHERE reactivated_at IS NULL;

COMMENT ON INDEX lead_protection.lead_expiries_standing IS 'Expiries that stand, by when they were recorded: what health counts.';

-- The oldest open holds: those that can be overrun.
CREATE INDEX lead_holds_open_start ON lead_protection.lead_holds (start_at) WHERE end_at IS NULL AND voided_at IS NULL;

COMMENT ON INDEX lead_protection.lead_holds_open_start IS 'Open holds, the oldest first: those that have passed a limit are among the first.';

CREATE INDEX job_runs_running ON lead_protection.job_runs (job_name) WHERE outcome = 'running';

COMMENT ON INDEX lead_protection.job_runs_running IS 'Runs at work, and those that were abandoned and not yet seen as such.';
