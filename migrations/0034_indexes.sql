-- Indexes on tables that may be big, built while everybody works. The next apply repairs an interrupted build.
-- depends: 0018_clock_terms 0030_adopted_ledgers 0031_metrics 0032_pausing 0033_help_operations
-- transactional: false

-- What the metrics and KPIs look up, as partial indexes of few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_runs_running ON lead_protection.job_runs (job_name, started_at)
WHERE outcome = 'running';

COMMENT ON INDEX lead_protection.job_runs_running IS 'Runs at work, and those that were abandoned and not yet seen as such.';

CREATE INDEX CONCURRENTLY IF NOT EXISTS protection_log_reactivated ON lead_protection.protection_log (occurred_at)
WHERE event_type = 'lead.protection.reactivated';

COMMENT ON INDEX lead_protection.protection_log_reactivated IS 'The reactivations of the last days: v_kpi_reactivations.';

-- What health looks at, without reading all that ever was: recent expiries, the oldest open holds.
CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_expiries_standing ON lead_protection.lead_expiries (recorded_at)
WHERE reactivated_at IS NULL;

COMMENT ON INDEX lead_protection.lead_expiries_standing IS 'Expiries that stand, by when they were recorded: what health counts.';

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_holds_open_start ON lead_protection.lead_holds (start_at)
WHERE end_at IS NULL AND voided_at IS NULL;

COMMENT ON INDEX lead_protection.lead_holds_open_start IS 'Open holds, the oldest first: those that have passed a limit are among the first.';

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS lead_holds_imported_once ON lead_protection.lead_holds (
    lead_id, imported_as
) WHERE imported_as IS NOT NULL;

COMMENT ON INDEX lead_protection.lead_holds_imported_once IS 'The same row once, whatever became of the hold since: what makes import_holds() idempotent.';

-- The work list of reminders tells by itself which of its leads are on hold. The pipeline needs one all the time: the
-- old one goes when the new one is there.
DO $rename$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_index AS i
        WHERE
            i.indexrelid = pg_catalog.to_regclass('lead_protection.lead_clocks_to_remind')
            AND i.indnatts = i.indnkeyatts AND i.indisvalid
    ) THEN
        ALTER INDEX lead_protection.lead_clocks_to_remind RENAME TO lead_clocks_to_remind_before;
    END IF;
END
$rename$;

CREATE INDEX CONCURRENTLY IF NOT EXISTS lead_clocks_to_remind ON lead_protection.lead_clocks (
    reminder_due_at, lead_id
) INCLUDE (open_hold_from)
WHERE closed_at IS NULL AND expired_at IS NULL AND (reminded_at IS NULL OR reminded_at < reminder_due_at);

COMMENT ON INDEX lead_protection.lead_clocks_to_remind IS
'What send_due_reminders() has to do. Leads on hold for long stand in front: the oldest that waits is found behind them without looking at their rows.';

DROP INDEX CONCURRENTLY IF EXISTS lead_protection.lead_clocks_to_remind_before;
