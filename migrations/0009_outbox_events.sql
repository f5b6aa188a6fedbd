-- The outbox, in the shape of the Debezium outbox event router. Insert-only.
-- depends: 0001_schema

CREATE TABLE lead_protection.outbox_events (
    id uuid CONSTRAINT outbox_events_pkey PRIMARY KEY,
    aggregatetype text NOT NULL,
    aggregateid text NOT NULL,
    type text NOT NULL CONSTRAINT outbox_events_type_dotted CHECK (type ~ '^lead(\.[a-z_]+)+$'),
    payload jsonb NOT NULL CONSTRAINT outbox_events_payload_object CHECK (jsonb_typeof(payload) = 'object'),
    "timestamp" timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE lead_protection.outbox_events IS
'Events for other systems, one for each protection_log row and in its transaction. Never updated.';
COMMENT ON COLUMN lead_protection.outbox_events.id IS 'The event''s id, the same as in protection_log: consumers drop repeats by it.';
COMMENT ON COLUMN lead_protection.outbox_events.aggregatetype IS 'Always lead.';
COMMENT ON COLUMN lead_protection.outbox_events.aggregateid IS 'The lead''s number as text: the key by which order is kept.';
COMMENT ON COLUMN lead_protection.outbox_events.type IS 'The event type, such as lead.protection.reminder.';
COMMENT ON COLUMN lead_protection.outbox_events.payload IS 'The event: ids, states and instants (ISO 8601, UTC); no personal data.';
COMMENT ON COLUMN lead_protection.outbox_events."timestamp" IS 'When the event was written.';
