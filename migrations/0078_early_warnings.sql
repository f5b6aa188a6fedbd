-- Early warnings: terms of a policy version, and the ledger of those that were sent.
-- depends: 0071_contract_terms

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE lead_protection.policy_warnings (
    policy_id bigint NOT NULL
    CONSTRAINT policy_warnings_policy_id_fkey REFERENCES lead_protection.protection_policies (id),
    step integer NOT NULL CONSTRAINT policy_warnings_step_positive CHECK (step > 0),
    days_before integer NOT NULL
    CONSTRAINT policy_warnings_days_before_sensible CHECK (days_before BETWEEN 1 AND 200000),
    audience text NOT NULL CONSTRAINT policy_warnings_audience_sensible CHECK (audience ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT policy_warnings_pkey PRIMARY KEY (policy_id, step),
    CONSTRAINT policy_warnings_once UNIQUE (policy_id, days_before, audience)
);

COMMENT ON TABLE lead_protection.policy_warnings IS
'The early warnings of a policy version: terms, as those of protection_policies, and append-only (LP012). '
'create_policy_version() writes them. A policy without a row here warns nobody.';
COMMENT ON COLUMN lead_protection.policy_warnings.policy_id IS 'The version.';
COMMENT ON COLUMN lead_protection.policy_warnings.step IS
'Counts from 1 within the version: the earliest warning first, those of one day by their audience.';
COMMENT ON COLUMN lead_protection.policy_warnings.days_before IS
'How many calendar days before the window the warning falls due, at the policy''s reminder time.';
COMMENT ON COLUMN lead_protection.policy_warnings.audience IS
'For whom it is, such as user or manager: a word for whoever takes the event, which says who that is.';

-- One index serves both: what was sent for this very window, and what was sent for another since the warning is due.
CREATE TABLE lead_protection.lead_warnings (
    lead_id bigint NOT NULL CONSTRAINT lead_warnings_lead_id_fkey REFERENCES lead_protection.leads (id),
    user_id bigint NOT NULL,
    window_date date NOT NULL CONSTRAINT lead_warnings_window_date_finite CHECK (isfinite(window_date)),
    days_before integer NOT NULL,
    audience text NOT NULL,
    step integer NOT NULL,
    protection_expires_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL CONSTRAINT lead_warnings_sent_at_finite CHECK (isfinite(sent_at)),
    CONSTRAINT lead_warnings_one_per_window PRIMARY KEY (lead_id, user_id, window_date, days_before, audience),
    CONSTRAINT lead_warnings_sent_when_due CHECK (sent_at >= due_at),
    CONSTRAINT lead_warnings_sent_before_expiry CHECK (sent_at < protection_expires_at)
);

CREATE INDEX lead_warnings_sent_at ON lead_protection.lead_warnings (sent_at);

COMMENT ON TABLE lead_protection.lead_warnings IS
'The ledger of early warnings, written by send_due_warnings() together with the log row and the event. The primary key '
'is the promise: one warning for each lead, user, window, number of days and audience. No clock reads it.';
COMMENT ON COLUMN lead_protection.lead_warnings.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_warnings.user_id IS 'The protected user, whatever the audience.';
COMMENT ON COLUMN lead_protection.lead_warnings.window_date IS
'The window: that of the reminder, or the day of the expiry where a late notice has put it off.';
COMMENT ON COLUMN lead_protection.lead_warnings.days_before IS 'As in policy_warnings.';
COMMENT ON COLUMN lead_protection.lead_warnings.audience IS 'As in policy_warnings.';
COMMENT ON COLUMN lead_protection.lead_warnings.step IS
'The step of the policy version under which it was sent. Another version may count it otherwise: it is no part of the '
'key.';
COMMENT ON COLUMN lead_protection.lead_warnings.protection_expires_at IS 'The expiry as it stood when it was sent.';
COMMENT ON COLUMN lead_protection.lead_warnings.due_at IS 'When it fell due by the terms.';
COMMENT ON COLUMN lead_protection.lead_warnings.sent_at IS 'When it was sent, that is, when its event was written.';
COMMENT ON INDEX lead_protection.lead_warnings_sent_at IS
'Warnings by when they were sent: those that lie ahead, for take_back_ahead() and health.';

-- It has one column more, and is made again by the load.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.forecast_protection(integer);
