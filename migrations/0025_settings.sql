-- What an operator may set for the whole system: the pace of reminders and how often a failed one is repeated.
-- depends: 0001_schema

CREATE TABLE lead_protection.settings (
    only_row boolean CONSTRAINT settings_pkey PRIMARY KEY DEFAULT true CONSTRAINT settings_one_row CHECK (only_row),
    reminders_per_run integer DEFAULT 10000 CONSTRAINT settings_reminders_per_run_positive CHECK (
        reminders_per_run >= 1
    ),
    reminders_per_user integer DEFAULT 50 CONSTRAINT settings_reminders_per_user_positive CHECK (
        reminders_per_user >= 1
    ),
    delivery_attempts integer NOT NULL DEFAULT 5 CONSTRAINT settings_delivery_attempts_positive CHECK (
        delivery_attempts >= 1
    ),
    delivery_retry_delay interval NOT NULL DEFAULT INTERVAL '15 minutes'
    CONSTRAINT settings_delivery_retry_delay_sensible CHECK (
        delivery_retry_delay BETWEEN INTERVAL '1 second' AND INTERVAL '1 day'
    ),
    consumers_changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO lead_protection.settings DEFAULT VALUES;

COMMENT ON TABLE lead_protection.settings IS
'One row: what holds for the whole system. configure_reminders() sets it; terms of protection are no settings, they are in protection_policies.';
COMMENT ON COLUMN lead_protection.settings.only_row IS 'Keeps it to one row.';
COMMENT ON COLUMN lead_protection.settings.reminders_per_run IS 'At most so many reminders are sent by one run of the pipeline; null: no limit.';
COMMENT ON COLUMN lead_protection.settings.reminders_per_user IS 'At most so many of them to one user; null: no limit.';
COMMENT ON COLUMN lead_protection.settings.delivery_attempts IS 'How often a reminder is sent in all when its delivery fails.';
COMMENT ON COLUMN lead_protection.settings.delivery_retry_delay IS 'The pause before the first repetition, elapsed time; each further one is twice as long, up to a day.';
COMMENT ON COLUMN lead_protection.settings.consumers_changed_at IS 'When a consumer was last registered or removed. A REPEATABLE READ transaction that began before fails with 40001 when it writes an event.';
