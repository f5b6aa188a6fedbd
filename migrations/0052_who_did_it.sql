-- Who did it, by what the database knows and not only by what the caller says; approval by another; and drills.
-- depends: 0051_lock_rows

SET LOCAL search_path = pg_catalog, pg_temp;

-- The default comes after the column: rows that are there must not get the name of who applies this.
ALTER TABLE lead_protection.protection_log ADD COLUMN session_role name, ADD COLUMN application_name text;
ALTER TABLE lead_protection.protection_log
ALTER COLUMN session_role SET DEFAULT session_user,
ALTER COLUMN application_name SET DEFAULT nullif(current_setting('application_name'), '');

ALTER TABLE lead_protection.leads ADD COLUMN session_role name, ADD COLUMN application_name text;
ALTER TABLE lead_protection.leads
ALTER COLUMN session_role SET DEFAULT session_user,
ALTER COLUMN application_name SET DEFAULT nullif(current_setting('application_name'), '');

COMMENT ON COLUMN lead_protection.protection_log.session_role IS
'The database role that had logged in; null: before this was recorded. Not SET ROLE, and not the caller''s to choose.';
COMMENT ON COLUMN lead_protection.protection_log.application_name IS
'What its session called itself (application_name); null: nothing, or before this was recorded.';
COMMENT ON COLUMN lead_protection.protection_log.actor_id IS
'Who did it, as the caller says; null: the system. Which session said so: session_role.';
COMMENT ON COLUMN lead_protection.leads.session_role IS
'The database role that had logged in and entered the lead; null: before this was recorded. What was changed since is '
'in '
'protection_log.';
COMMENT ON COLUMN lead_protection.leads.application_name IS
'What its session called itself (application_name); null: nothing, or before this was recorded.';

ALTER TABLE lead_protection.protection_policies ADD COLUMN approval_by_another boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN lead_protection.protection_policies.approval_by_another IS
'True: whoever enters an extension cannot be the one who approved it (LP081).';

ALTER TABLE lead_protection.settings ADD COLUMN for_drills boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN lead_protection.settings.for_drills IS
'True: this database is for drills, and its owner may let the pipeline decide for an instant in the past. Never true '
'where leads are real. The owner sets it: UPDATE lead_protection.settings SET for_drills = true.';
