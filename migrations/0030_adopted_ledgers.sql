-- Reminders and expiries that were not ours: from before the leads came here.
-- depends: 0004_lead_holds 0005_lead_reminders 0006_lead_expiries 0028_adoptions

ALTER TABLE lead_protection.lead_reminders ADD COLUMN adopted boolean NOT NULL DEFAULT false;
ALTER TABLE lead_protection.lead_expiries ADD COLUMN adopted boolean NOT NULL DEFAULT false;

ALTER TABLE lead_protection.lead_holds ADD COLUMN imported_as text;

COMMENT ON COLUMN lead_protection.lead_reminders.adopted IS
'True: not sent by this system, and no event was written: imported with import_reminders(), or overdue when the lead''s adoption was switched on.';
COMMENT ON COLUMN lead_protection.lead_expiries.adopted IS
'True: the protection had ended before the lead''s adoption was switched on, and no event was written.';
COMMENT ON COLUMN lead_protection.lead_holds.imported_as IS
'The row of a company''s own table that it was imported from: table, start, end and user. Null: it was made here.';
