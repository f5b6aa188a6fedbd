-- Who takes events from the outbox without Debezium, and how far each has come.
-- depends: 0024_outbox_sequence 0025_settings

DO $role$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'lead_protection_consumer') THEN
        CREATE ROLE lead_protection_consumer NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role lead_protection_consumer is missing and % may not create roles', CURRENT_USER
            USING HINT = 'Have it made with CREATE ROLE lead_protection_consumer NOLOGIN, then run apply again: it grants the rights.';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database's apply made it this very moment
END
$role$;

CREATE TABLE lead_protection.event_consumers (
    consumer_name text CONSTRAINT event_consumers_pkey PRIMARY KEY
    CONSTRAINT event_consumers_consumer_name_sensible CHECK (consumer_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
    types text[],
    attempt_limit integer NOT NULL CONSTRAINT event_consumers_attempt_limit_positive CHECK (attempt_limit >= 1),
    retry_delay interval NOT NULL CONSTRAINT event_consumers_retry_delay_sensible CHECK (
        retry_delay BETWEEN INTERVAL '1 millisecond' AND INTERVAL '1 day'
    ),
    wake_up boolean NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT event_consumers_types_named CHECK (cardinality(types) >= 1 AND array_position(types, NULL) IS NULL)
);

COMMENT ON TABLE lead_protection.event_consumers IS
'The registered consumers of events. Each event that is written from then on gets a row in event_deliveries for each consumer that asked for its type.';
COMMENT ON COLUMN lead_protection.event_consumers.consumer_name IS 'Its name: 1 to 63 lower-case letters, digits, and _ . - within.';
COMMENT ON COLUMN lead_protection.event_consumers.types IS 'The event types it takes; null: all.';
COMMENT ON COLUMN lead_protection.event_consumers.attempt_limit IS 'After so many failed attempts an event is a dead letter.';
COMMENT ON COLUMN lead_protection.event_consumers.retry_delay IS 'The pause after the first failure, elapsed time; each further one is twice as long, up to a day.';
COMMENT ON COLUMN lead_protection.event_consumers.wake_up IS 'True: an empty NOTIFY lead_protection_events goes out with each transaction that writes an event for it.';
COMMENT ON COLUMN lead_protection.event_consumers.registered_at IS 'When it was first registered.';

-- A queue: rows are updated a few times and then stay until retention takes them with their event.
CREATE TABLE lead_protection.event_deliveries (
    event_id uuid NOT NULL CONSTRAINT event_deliveries_event_id_fkey REFERENCES lead_protection.outbox_events (id),
    -- No foreign key: every event that is written would lock the consumer's row. unregister_event_consumer() deletes.
    consumer_name text NOT NULL,
    lead_id bigint NOT NULL,
    sequence_number bigint NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    available_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_token uuid,
    settled_at timestamptz,
    error text,
    CONSTRAINT event_deliveries_pkey PRIMARY KEY (event_id, consumer_name),
    CONSTRAINT event_deliveries_status_known CHECK (status IN ('pending', 'acknowledged', 'dead', 'discarded')),
    CONSTRAINT event_deliveries_attempts_counted CHECK (attempts >= 0),
    CONSTRAINT event_deliveries_settled_unless_pending CHECK ((status = 'pending') = (settled_at IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX event_deliveries_available ON lead_protection.event_deliveries (
    consumer_name, available_at, sequence_number
) WHERE status = 'pending';
CREATE INDEX event_deliveries_lead_order ON lead_protection.event_deliveries (
    lead_id, consumer_name, sequence_number
) WHERE status = 'pending';
CREATE INDEX event_deliveries_leased ON lead_protection.event_deliveries (consumer_name, available_at)
WHERE status = 'pending' AND lease_token IS NOT NULL;
CREATE INDEX event_deliveries_dead ON lead_protection.event_deliveries (consumer_name, sequence_number)
WHERE status = 'dead';

COMMENT ON TABLE lead_protection.event_deliveries IS
'How far each consumer has come with each event: a row is written in the transaction of its event, so that none is passed over, however late it commits. Written by claim_events() and its like only.';
COMMENT ON COLUMN lead_protection.event_deliveries.event_id IS 'The event.';
COMMENT ON COLUMN lead_protection.event_deliveries.consumer_name IS 'The consumer.';
COMMENT ON COLUMN lead_protection.event_deliveries.lead_id IS 'The event''s lead: within it the order is kept.';
COMMENT ON COLUMN lead_protection.event_deliveries.sequence_number IS 'The event''s, by which the order is kept.';
COMMENT ON COLUMN lead_protection.event_deliveries.status IS 'pending: to be handled, or being handled; acknowledged: done; dead: given up after the consumer''s attempt_limit; discarded: a dead letter that an operator put aside.';
COMMENT ON COLUMN lead_protection.event_deliveries.attempts IS 'How often it was claimed.';
COMMENT ON COLUMN lead_protection.event_deliveries.available_at IS 'From when it may be claimed: while it is leased, the end of the lease.';
COMMENT ON COLUMN lead_protection.event_deliveries.lease_token IS 'The lease under which it was last claimed; null: it failed or was never claimed.';
COMMENT ON COLUMN lead_protection.event_deliveries.settled_at IS 'When it stopped being pending.';
COMMENT ON COLUMN lead_protection.event_deliveries.error IS 'What went wrong last, in the consumer''s words; why it was discarded.';
COMMENT ON INDEX lead_protection.event_deliveries_available IS 'What a consumer may claim, the longest available first.';
COMMENT ON INDEX lead_protection.event_deliveries_lead_order IS 'Whether an earlier event of the lead is still pending.';
COMMENT ON INDEX lead_protection.event_deliveries_leased IS 'Leases, the first to run out first.';
COMMENT ON INDEX lead_protection.event_deliveries_dead IS 'The dead letters.';
