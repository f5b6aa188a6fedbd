-- The log: what happened to a protection, who did it and why. Append-only.
-- depends: 0001_schema

CREATE TABLE lead_protection.protection_log (
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    lead_id bigint NOT NULL,
    user_id bigint NOT NULL,
    event_type text NOT NULL CONSTRAINT protection_log_event_type_dotted CHECK (event_type ~ '^lead(\.[a-z_]+)+$'),
    occurred_at timestamptz NOT NULL CONSTRAINT protection_log_occurred_at_finite CHECK (isfinite(occurred_at)),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_id bigint,
    reason text CONSTRAINT protection_log_reason_not_blank CHECK (reason ~ '[^[:space:]]'),
    state_before text,
    state_after text,
    expires_before timestamptz,
    expires_after timestamptz,
    details jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT protection_log_pkey PRIMARY KEY (lead_id, event_id),
    CONSTRAINT protection_log_details_object CHECK (jsonb_typeof(details) = 'object'),
    CONSTRAINT protection_log_state_before_known CHECK (
        state_before IN ('PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED')
    ),
    CONSTRAINT protection_log_state_after_known CHECK (
        state_after IN ('PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED')
    )
);

CREATE INDEX protection_log_lead_time ON lead_protection.protection_log (lead_id, occurred_at);

COMMENT ON TABLE lead_protection.protection_log IS
'Append-only history: no UPDATE, DELETE or TRUNCATE (LP012). Every row becomes an event of the same id and type in outbox_events, in the same transaction. No foreign key: the history outlives the lead.';
COMMENT ON COLUMN lead_protection.protection_log.event_id IS 'The id of the row and of its event.';
COMMENT ON COLUMN lead_protection.protection_log.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.protection_log.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.protection_log.event_type IS 'What happened, dotted, such as lead.hold.created.';
COMMENT ON COLUMN lead_protection.protection_log.occurred_at IS 'When it happened: the instant for which it was decided.';
COMMENT ON COLUMN lead_protection.protection_log.recorded_at IS 'When the row was written.';
COMMENT ON COLUMN lead_protection.protection_log.actor_id IS 'Who did it; null: the system.';
COMMENT ON COLUMN lead_protection.protection_log.reason IS 'Why, in the actor''s words.';
COMMENT ON COLUMN lead_protection.protection_log.state_before IS 'State just before, at occurred_at.';
COMMENT ON COLUMN lead_protection.protection_log.state_after IS 'State just after, at occurred_at.';
COMMENT ON COLUMN lead_protection.protection_log.expires_before IS 'Expiry just before, as shown at occurred_at.';
COMMENT ON COLUMN lead_protection.protection_log.expires_after IS 'Expiry just after, as shown at occurred_at.';
COMMENT ON COLUMN lead_protection.protection_log.details IS 'The facts it rests on, such as hold_id; ids and instants only, no personal data.';
COMMENT ON INDEX lead_protection.protection_log_lead_time IS 'A lead''s history in order.';
