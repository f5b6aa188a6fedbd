CREATE OR REPLACE FUNCTION lead_protection.register_event_consumer(
    consumer_name text,
    types text[] DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    attempt_limit integer DEFAULT 10,
    retry_delay interval DEFAULT INTERVAL '30 seconds',
    wake_up boolean DEFAULT false
)
RETURNS lead_protection.event_consumers
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    consumer lead_protection.event_consumers;
BEGIN
    IF
        coalesce(register_event_consumer.consumer_name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$', true)
        OR coalesce(register_event_consumer.attempt_limit < 1, true)
        OR coalesce(
            register_event_consumer.retry_delay NOT BETWEEN INTERVAL '1 millisecond' AND INTERVAL '1 day', true
        )
        OR register_event_consumer.wake_up IS NULL
        OR register_event_consumer.since = 'infinity'
    THEN
        RAISE EXCEPTION 'a consumer cannot be registered like this'
            USING ERRCODE = 'LP041',
            DETAIL = format(
                'Given: consumer_name %L, attempt_limit %L, retry_delay %L, wake_up %L, since %L.',
                register_event_consumer.consumer_name, register_event_consumer.attempt_limit,
                register_event_consumer.retry_delay, register_event_consumer.wake_up, register_event_consumer.since
            ),
            HINT = 'A name has 1 to 63 lower-case letters, digits, and _ . - within; attempt_limit is 1 or more, '
            'retry_delay 1 millisecond to 1 day, wake_up true or false, since no infinity.';
    END IF;
    PERFORM lead_protection.require_event_types(register_event_consumer.types);

    PERFORM lead_protection.lock_event_writers();
    INSERT INTO lead_protection.event_consumers AS c (consumer_name, types, attempt_limit, retry_delay, wake_up)
    VALUES (
        register_event_consumer.consumer_name, register_event_consumer.types, register_event_consumer.attempt_limit,
        register_event_consumer.retry_delay, register_event_consumer.wake_up
    )
    ON CONFLICT ON CONSTRAINT event_consumers_pkey DO UPDATE
    SET
        types = excluded.types, attempt_limit = excluded.attempt_limit, retry_delay = excluded.retry_delay,
        wake_up = excluded.wake_up
    RETURNING c.* INTO consumer;

    IF register_event_consumer.since IS NOT NULL THEN
        INSERT INTO lead_protection.event_deliveries (event_id, consumer_name, lead_id, sequence_number)
        SELECT e.id, consumer.consumer_name, e.aggregateid::bigint, e.sequence_number
        FROM lead_protection.outbox_events AS e
        WHERE
            e."timestamp" >= register_event_consumer.since
            AND (consumer.types IS NULL OR e.type = ANY(consumer.types))
        ON CONFLICT ON CONSTRAINT event_deliveries_pkey DO NOTHING;
    END IF;
    RETURN consumer;
END;
$$;

COMMENT ON FUNCTION lead_protection.register_event_consumer(text, text[], timestamptz, integer, interval, boolean) IS
'Registers a consumer of events, for operators. types: the event types it takes (null, the default: all, also future '
'ones); since: it also gets the events in the outbox that were written at or after this instant (null, the default: '
'only those from now on; -infinity: all there are); attempt_limit: after so many failed attempts an event is a dead '
'letter; retry_delay: pause after the first failure, doubled each time, up to a day; wake_up: an empty NOTIFY '
'lead_protection_events with each transaction that writes an event for it.
From its commit on no event is passed over. Returns the consumer''s row. Repeated: sets types and the rest anew, for '
'events from now on; with since it adds those that it has not got yet.
Errors: LP039 unknown type, LP040 a writer of events took longer than 5 seconds: try again, LP041 bad name or setting.';
