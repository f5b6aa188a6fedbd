-- The end of each lead's chain, found by an index; it takes the place of the one by lead and time.
-- depends: 0080_log_chain

SET LOCAL search_path = pg_catalog, pg_temp;

-- Not CONCURRENTLY: an upgrade that fails leaves the version before as it was, and the columns before have locked the
-- log already.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX protection_log_numbers ON lead_protection.protection_log (lead_id, log_number);
COMMENT ON INDEX lead_protection.protection_log_numbers IS
'A lead''s history in the order of its chain. No number is there twice in a lead.';

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX lead_protection.protection_log_lead_time;
