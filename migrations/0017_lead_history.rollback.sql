DROP TABLE lead_protection.lead_history;
ALTER TABLE lead_protection.leads DROP COLUMN closed_as, DROP COLUMN changed_at;
