-- The end of each lead's chain, found by an index; it takes the place of the one by lead and time.
-- depends: 0080_log_chain
-- transactional: false

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS protection_log_numbers
ON lead_protection.protection_log (lead_id, log_number);
COMMENT ON INDEX lead_protection.protection_log_numbers IS
'A lead''s history in the order of its chain. No number is there twice in a lead.';

DROP INDEX CONCURRENTLY IF EXISTS lead_protection.protection_log_lead_time;
