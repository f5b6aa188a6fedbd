-- A user's leads of former times, for statement_of_user(), on a table that may be big.
-- depends: 0064_entries_of_facts
-- transactional: false

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_history_user ON lead_protection.lead_history (user_id, lead_id);
COMMENT ON INDEX lead_protection.lead_history_user IS
'Which leads a user had: what statement_of_user() looks up.';
