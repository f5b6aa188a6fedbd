DROP INDEX lead_protection.job_runs_running;
DROP INDEX lead_protection.protection_log_reactivated;
DROP INDEX lead_protection.lead_expiries_standing;
DROP INDEX lead_protection.lead_holds_open_start;
DROP INDEX lead_protection.lead_holds_imported_once;

DROP INDEX lead_protection.lead_clocks_to_remind;
CREATE INDEX lead_clocks_to_remind ON lead_protection.lead_clocks (reminder_due_at, lead_id)
WHERE closed_at IS NULL AND expired_at IS NULL AND (reminded_at IS NULL OR reminded_at < reminder_due_at);
COMMENT ON INDEX lead_protection.lead_clocks_to_remind IS 'What send_due_reminders() has to do.';
