-- Texts are erased by a role of its own, and by the nightly job where a policy says for how long they are kept.
-- depends: 0081_log_numbers
-- Policies are few.
-- squawk-ignore-file constraint-missing-not-valid

SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE lead_protection.protection_policies ADD COLUMN texts_kept_days integer;
ALTER TABLE lead_protection.protection_policies ADD CONSTRAINT protection_policies_texts_kept_sensible CHECK (
    texts_kept_days BETWEEN 1 AND 36500
);
COMMENT ON COLUMN lead_protection.protection_policies.texts_kept_days IS
'So many days of elapsed time after a lead was closed, expired or given back the nightly job erases its texts; null: '
'they are kept.';

DO $role$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'lead_protection_privacy') THEN
        CREATE ROLE lead_protection_privacy NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role lead_protection_privacy is missing and % may not create roles', CURRENT_USER
            USING HINT = 'Have it made with CREATE ROLE lead_protection_privacy NOLOGIN, then run apply again.';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database's apply made it this very moment
END
$role$;
