-- Where the log was empty when the trigger came that chains each row, no row is from before it. The load holds the
-- log's lock since it made the trigger: nobody has written in between.
UPDATE lead_protection.settings
SET log_chained_at = pg_catalog.clock_timestamp()
WHERE log_chained_at IS NULL AND NOT EXISTS (SELECT FROM lead_protection.protection_log);
