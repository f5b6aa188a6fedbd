SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE lead_protection.protection_policies DROP COLUMN texts_kept_days;
