-- Reminders and expiries that were not ours: from before the leads came here.
-- depends: 0004_lead_holds 0005_lead_reminders 0006_lead_expiries 0028_adoptions

ALTER TABLE lead_protection.lead_reminders ADD COLUMN adopted boolean NOT NULL DEFAULT false;
ALTER TABLE lead_protection.lead_expiries ADD COLUMN adopted boolean NOT NULL DEFAULT false;

ALTER TABLE lead_protection.lead_holds ADD COLUMN imported_as text;

CREATE UNIQUE INDEX lead_holds_imported_once ON lead_protection.lead_holds (lead_id, imported_as)
WHERE imported_as IS NOT NULL;

COMMENT ON COLUMN lead_protection.lead_reminders.adopted IS
'True: not sent by this system, and no event was written: imported with import_reminders(), or overdue when the lead''s adoption was switched on.';
COMMENT ON COLUMN lead_protection.lead_expiries.adopted IS
'True: the protection had ended before the lead''s adoption was switched on, and no event was written.';
COMMENT ON COLUMN lead_protection.lead_holds.imported_as IS
'The row of a company''s own table that it was imported from: table, start, end and user. Null: it was made here.';
COMMENT ON INDEX lead_protection.lead_holds_imported_once IS
'The same row once, whatever became of the hold since: what makes import_holds() idempotent.';
