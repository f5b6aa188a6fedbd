DROP TABLE lead_protection.lead_reminders CASCADE;
