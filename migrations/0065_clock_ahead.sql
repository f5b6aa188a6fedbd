-- When a run last showed that it is at work, and up to where a clock that ran ahead was put right.
-- depends: 0064_entries_of_facts

SET LOCAL search_path = pg_catalog, pg_temp;

ALTER TABLE lead_protection.job_runs
ADD COLUMN stepped_at timestamptz;

COMMENT ON COLUMN lead_protection.job_runs.stepped_at IS
'When it last ended a step or a batch; null: it has not, or ran before this was recorded. With the lock of the job it '
'tells a run at work from one that was cancelled between two steps, or whose process number another process has now.';

ALTER TABLE lead_protection.settings
ADD COLUMN events_ahead_until timestamptz;

COMMENT ON COLUMN lead_protection.settings.events_ahead_until IS
'The latest timestamp of the events that recover_from_clock_ahead() found ahead: health names none up to it; null: none.';
