-- The log's rows of the last days, which the nightly proof compares with the outbox: a few pages, however long the log.
-- And reminders by their time, so that those are found that were sent while a clock ran ahead.
-- depends: 0034_indexes
-- transactional: false

CREATE INDEX CONCURRENTLY IF NOT EXISTS protection_log_recorded
ON lead_protection.protection_log USING brin (recorded_at);
COMMENT ON INDEX lead_protection.protection_log_recorded IS
'The rows of the last days, for the nightly proof that each has its event.';

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_reminders_sent_at ON lead_protection.lead_reminders (sent_at);
COMMENT ON INDEX lead_protection.lead_reminders_sent_at IS
'Reminders by when they were sent: those that lie ahead, for take_back_ahead() and health.';
