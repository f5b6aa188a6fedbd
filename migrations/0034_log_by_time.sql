-- The log's rows of the last days, which the nightly proof compares with the outbox: a few pages, however long the log.
-- And reminders, and what was reported of them, by their time, so that those are found that were sent while a clock ran
-- ahead; and a user's leads of former times, for statement_of_user(). And what is left of the clocks that stand still.
-- depends: 0034_indexes
-- transactional: false

CREATE INDEX CONCURRENTLY IF NOT EXISTS protection_log_recorded
ON lead_protection.protection_log USING brin (recorded_at);
COMMENT ON INDEX lead_protection.protection_log_recorded IS
'The rows of the last days, for the nightly proof that each has its event.';

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_reminders_sent_at ON lead_protection.lead_reminders (sent_at);
COMMENT ON INDEX lead_protection.lead_reminders_sent_at IS
'Reminders by when they were sent: those that lie ahead, for take_back_ahead() and health.';

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_history_user ON lead_protection.lead_history (user_id, lead_id);
COMMENT ON INDEX lead_protection.lead_history_user IS
'Which leads a user had: what statement_of_user() looks up.';

CREATE INDEX CONCURRENTLY IF NOT EXISTS reminder_deliveries_occurred_at
ON lead_protection.reminder_deliveries (occurred_at);
COMMENT ON INDEX lead_protection.reminder_deliveries_occurred_at IS
'What was reported of reminders by when it was: what lies ahead, for take_back_ahead().';

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_clocks_held ON lead_protection.lead_clocks (
    (protection_expires_at - open_hold_from)
)
WHERE runs_from = 'infinity'
AND (
    greatest(upper(stops), idle_from, noticed_at) >= open_hold_from
    OR open_hold_from >= protection_expires_at OR owed_notice_days IS NOT NULL
) IS NOT TRUE;
COMMENT ON INDEX lead_protection.lead_clocks_held IS
'Clocks that stand still by an open hold and nothing else, by what is left of them: is_plainly_held().';

-- The others that stand still. lead_clocks_stopped, which it replaces, goes with the code that needs it:
-- 0100_clocks_on_hold.
CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_clocks_held_otherwise ON lead_protection.lead_clocks (runs_from)
WHERE runs_from > started_at
AND NOT (
    runs_from = 'infinity'
    AND (
        greatest(upper(stops), idle_from, noticed_at) >= open_hold_from
        OR open_hold_from >= protection_expires_at OR owed_notice_days IS NOT NULL
    ) IS NOT TRUE
);
COMMENT ON INDEX lead_protection.lead_clocks_held_otherwise IS
'The other clocks that stand still, will, or did: what is_on_hold() asks for.';
