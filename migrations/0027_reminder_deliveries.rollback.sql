DROP TYPE lead_protection.reminder_delivery_result;
DROP TABLE lead_protection.reminder_deliveries;
DROP INDEX lead_protection.protection_log_missed_reminders;
DROP INDEX lead_protection.lead_reminders_fell_due_day;
ALTER TABLE lead_protection.lead_reminders DROP COLUMN fell_due_at;
ALTER TABLE lead_protection.leads DROP COLUMN recorded_at;
