SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE lead_protection.settings DROP COLUMN log_chained_at, DROP COLUMN log_chained_through;
ALTER TABLE lead_protection.protection_log
DROP COLUMN log_number,
DROP COLUMN chained_at,
DROP COLUMN texts_salt,
DROP COLUMN texts_hash;
