ALTER TABLE lead_protection.lead_reminders DROP COLUMN adopted;
ALTER TABLE lead_protection.lead_expiries DROP COLUMN adopted;
ALTER TABLE lead_protection.lead_holds DROP COLUMN imported_as;
