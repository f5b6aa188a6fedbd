DROP INDEX lead_protection.lead_clocks_stopped;
CREATE INDEX lead_clocks_stopped ON lead_protection.lead_clocks (runs_from) WHERE runs_from > started_at;
COMMENT ON INDEX lead_protection.lead_clocks_stopped IS 'The few clocks that stand still, will, or did: what is_on_hold() asks for.';
DROP INDEX lead_protection.lead_clocks_held;
DROP INDEX lead_protection.reminder_deliveries_occurred_at;
DROP INDEX lead_protection.lead_history_user;
DROP INDEX lead_protection.lead_reminders_sent_at;
DROP INDEX lead_protection.protection_log_recorded;
