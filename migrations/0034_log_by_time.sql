-- The log's rows of the last days, which the nightly proof compares with the outbox. A few pages, however long the log.
-- depends: 0034_indexes
-- transactional: false

CREATE INDEX CONCURRENTLY IF NOT EXISTS protection_log_recorded
ON lead_protection.protection_log USING brin (recorded_at);
COMMENT ON INDEX lead_protection.protection_log_recorded IS
'The rows of the last days, for the nightly proof that each has its event.';
