-- What health looks at, and from where on it is not well: the one place of these numbers.
CREATE OR REPLACE VIEW lead_protection.health_checks AS
SELECT
    k.position,
    k.check_name,
    k.measured_in,
    k.warn_at,
    k.critical_at,
    k.runbook
FROM (
    VALUES
    (1, 'clock_skew', 'seconds that a row lies ahead', 60, 300, 'The server''s clock is wrong'),
    (2, 'paused', 'seconds', 0, 86400, 'Pausing everything and resuming'),
    (3, 'job_hanging', 'seconds that a run has lasted', 900, 3600, 'A job run hangs or is abandoned'),
    (4, 'job_failed', 'failed runs in a row', 1, 3, 'A job fails'),
    -- Two runs in a row did not begin.
    (5, 'scheduler', 'seconds since the schedule began a run', 660, 1800, 'Reminders are not sent'),
    (6, 'pipeline', 'seconds since a run did its work', 900, 1800, 'Reminders are not sent'),
    (7, 'nightly', 'seconds since a run did its work', 93600, 180000, 'Reminders are not sent'),
    -- 60 minutes are what users were promised.
    (8, 'reminders_overdue', 'seconds that a reminder has waited', 900, 3600, 'Reminders are not sent'),
    -- Three runs in a row passed the lead over.
    (9, 'leads_locked', 'seconds that a lead has been passed over', 900, 3600, 'A lead is locked for long'),
    -- Nothing is late; but what is done cannot be cleared away, and each claim of events reads over it.
    (10, 'old_snapshots', 'seconds that a transaction has been open', 3600, 86400, 'A snapshot is held for long'),
    (11, 'cron_jobs', '1: scheduled twice, 2: a job whose role is gone', 1, 2, 'A scheduled job has no role, or two'),
    (12, 'clock_drift', 'leads mended by the last nightly run', 1, 100, 'The cached clock differs from the rule'),
    (13, 'expiry_spike', 'expiries of a day, as a multiple of the usual', 5, 20, 'Many leads expire at once'),
    -- The nightly job ends them: critical if it had its night and did not.
    (14, 'hold_overrun', 'seconds past the limit', 1, 93600, 'A hold is wrong, too long or forgotten'),
    (15, 'policies', 'missing default policies', 1, 1, 'There is no default policy'),
    -- A slip gives each new lead the wrong terms, and nothing fails.
    (16, 'default_changed', '1: it is another one than a day ago', 1, 2, 'The default policy was changed'),
    (17, 'outbox_lag', 'seconds that an event has waited', 900, 3600, 'Events are not taken'),
    (18, 'dead_letters', 'events', 1, 100, 'Events are not taken'),
    (19, 'log_events', 'events published by the last nightly run', 1, 100, 'Log rows had no event'),
    -- Whoever changes one row of the proof can have changed the dates.
    (20, 'log_integrity', 'problems that the last nightly proof found', 1, 1, 'The log does not prove itself'),
    -- It is followed within a minute.
    (21, 'adoption_lag', 'seconds that a write has waited untried', 300, 1800, 'An adopted row is out of step'),
    -- It is tried again by itself: what still waits after an hour needs somebody.
    (22, 'adoption', 'seconds that a row has waited', 3600, 86400, 'An adopted row is out of step'),
    -- A transaction that was left open holds it up, and each run of the pipeline tries again.
    (23, 'log_sealed', 'seconds that a log row has waited for its seal', 3600, 86400, 'The log is not sealed')
) AS k (position, check_name, measured_in, warn_at, critical_at, runbook);

COMMENT ON VIEW lead_protection.health_checks IS
'What health looks at, and its thresholds: the one place.';
COMMENT ON COLUMN lead_protection.health_checks.position IS
'The order in which health shows them: causes come before what follows from them.';
COMMENT ON COLUMN lead_protection.health_checks.check_name IS 'The check.';
COMMENT ON COLUMN lead_protection.health_checks.measured_in IS 'What its thresholds count.';
COMMENT ON COLUMN lead_protection.health_checks.warn_at IS 'From here on the status is warn.';
COMMENT ON COLUMN lead_protection.health_checks.critical_at IS 'From here on it is critical.';
COMMENT ON COLUMN lead_protection.health_checks.runbook IS
'The heading in docs/runbook.md, and the title in help_operations, of what to do then.';
