-- What the metrics and KPIs look up, as partial indexes of few rows; and the work list of reminders tells by itself
-- which of its leads are on hold.
-- depends: 0018_clock_terms 0032_metrics

CREATE INDEX job_runs_running ON lead_protection.job_runs (job_name, started_at) WHERE outcome = 'running';
CREATE INDEX protection_log_reactivated ON lead_protection.protection_log (occurred_at)
WHERE event_type = 'lead.protection.reactivated';

COMMENT ON INDEX lead_protection.job_runs_running IS 'The runs that are at work, or were killed: v_kpi_jobs.';
COMMENT ON INDEX lead_protection.protection_log_reactivated IS 'The reactivations of the last days: v_kpi_reactivations.';

DROP INDEX lead_protection.lead_clocks_to_remind;
CREATE INDEX lead_clocks_to_remind ON lead_protection.lead_clocks (reminder_due_at, lead_id) INCLUDE (open_hold_from)
WHERE closed_at IS NULL AND expired_at IS NULL AND (reminded_at IS NULL OR reminded_at < reminder_due_at);

COMMENT ON INDEX lead_protection.lead_clocks_to_remind IS
'What send_due_reminders() has to do. Leads on hold for long stand in front: the oldest that waits is found behind them without looking at their rows.';
