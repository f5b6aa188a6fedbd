-- Pausing: no job does anything until somebody resumes; who paused, when and why. And who starts a run.
-- depends: 0010_job_runs 0025_settings

ALTER TABLE lead_protection.settings
ADD COLUMN paused_at timestamptz,
ADD COLUMN paused_by bigint,
ADD COLUMN pause_reason text,
ADD CONSTRAINT settings_pause_complete CHECK (
    (paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (pause_reason IS NULL)
);

COMMENT ON TABLE lead_protection.settings IS
'One row: what holds for the whole system. configure_reminders(), pause_protection() and resume_protection() set it; terms of protection are no settings, they are in protection_policies.';
COMMENT ON COLUMN lead_protection.settings.paused_at IS 'Since when the jobs are paused; null: they are not.';
COMMENT ON COLUMN lead_protection.settings.paused_by IS 'The actor who paused them.';
COMMENT ON COLUMN lead_protection.settings.pause_reason IS 'Why, in the actor''s words.';

CREATE TABLE lead_protection.pause_log (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pause_log_pkey PRIMARY KEY,
    action text NOT NULL CONSTRAINT pause_log_action_known CHECK (action IN ('paused', 'resumed')),
    actor_id bigint NOT NULL,
    reason text,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pause_log_reason_of_pause CHECK ((action = 'paused') = (reason IS NOT NULL))
);

COMMENT ON TABLE lead_protection.pause_log IS
'Append-only: each pause of the jobs and its end. Apart from protection_log, which is of leads. Written by pause_protection() and resume_protection().';
COMMENT ON COLUMN lead_protection.pause_log.id IS 'Orders the rows.';
COMMENT ON COLUMN lead_protection.pause_log.action IS 'paused or resumed.';
COMMENT ON COLUMN lead_protection.pause_log.actor_id IS 'Who did it.';
COMMENT ON COLUMN lead_protection.pause_log.reason IS 'Why it was paused; null for a resumption.';
COMMENT ON COLUMN lead_protection.pause_log.occurred_at IS 'When.';

CREATE TYPE lead_protection.pause_result AS (
    changed boolean,
    paused_at timestamptz,
    paused_by bigint,
    pause_reason text
);

COMMENT ON TYPE lead_protection.pause_result IS
'Whether the jobs are paused, as after the call. changed: true only if this very call changed that; paused_at, paused_by, pause_reason: since when, by whom, why; null: not paused.';

-- What tells a run that the scheduler started from one that somebody started by hand.
ALTER TABLE lead_protection.job_runs ADD COLUMN application_name text;
ALTER TABLE lead_protection.job_runs ALTER COLUMN application_name SET DEFAULT current_setting('application_name');

COMMENT ON COLUMN lead_protection.job_runs.application_name IS 'What the session that started it calls itself: pg_cron, psql …; null: before this was recorded.';
COMMENT ON COLUMN lead_protection.job_runs.outcome IS 'running; succeeded; failed (see error); skipped: another run was at work, or there was something to wait for (result.waiting); abandoned: it never came back, the server or its session was killed.';
COMMENT ON COLUMN lead_protection.job_runs.result IS 'What it did, as counts; waiting: why it did nothing (more), such as a pause.';
