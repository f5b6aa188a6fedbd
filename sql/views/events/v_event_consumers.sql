-- A row for each consumer even when nothing waits for it. Read at each scrape, whatever waits: counts from the partial
-- indexes, each only if it is asked for, and the age from the first that are available.
CREATE OR REPLACE VIEW lead_protection.v_event_consumers AS
SELECT
    c.consumer_name,
    c.types,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = c.consumer_name AND d.status = 'pending' AND d.available_at <= now()
    ) AS ready,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE
            d.consumer_name = c.consumer_name AND d.status = 'pending' AND d.available_at > now()
            AND d.lease_token IS NOT NULL
    ) AS leased,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE
            d.consumer_name = c.consumer_name AND d.status = 'pending' AND d.available_at > now()
            AND d.lease_token IS NULL
    ) AS retrying,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = c.consumer_name AND d.status = 'dead'
    ) AS dead,
    front.oldest_pending_at,
    now() - front.oldest_pending_at AS lag,
    c.attempt_limit,
    c.retry_delay,
    c.wake_up,
    c.registered_at,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = c.consumer_name AND d.status = 'pending'
    ) AS pending,
    front.oldest_among
FROM lead_protection.event_consumers AS c
LEFT JOIN LATERAL (
    SELECT
        e."timestamp" AS oldest_pending_at,
        f.oldest_among
    FROM (
        SELECT
            count(*) AS oldest_among,
            -- The first that was written, without a look at each event.
            (array_agg(d.event_id ORDER BY d.sequence_number))[1] AS event_id
        FROM (
            SELECT
                w.event_id,
                w.sequence_number
            FROM lead_protection.event_deliveries AS w
            WHERE w.consumer_name = c.consumer_name AND w.status = 'pending'
            ORDER BY w.available_at, w.sequence_number
            LIMIT 1000
        ) AS d
    ) AS f
    LEFT JOIN lead_protection.outbox_events AS e ON f.event_id = e.id
) AS front ON true;

COMMENT ON VIEW lead_protection.v_event_consumers IS
'The registered consumers and how far each has come. Cheap enough for each scrape. lag is elapsed time, instants are '
'timestamptz.';
COMMENT ON COLUMN lead_protection.v_event_consumers.consumer_name IS 'The consumer.';
COMMENT ON COLUMN lead_protection.v_event_consumers.types IS 'The event types it takes; null: all.';
COMMENT ON COLUMN lead_protection.v_event_consumers.ready IS
'Events that wait to be claimed, those behind an earlier one of their lead and those whose lease ran out included.';
COMMENT ON COLUMN lead_protection.v_event_consumers.leased IS 'Events that are being handled.';
COMMENT ON COLUMN lead_protection.v_event_consumers.retrying IS 'Events that failed and wait for their next attempt.';
COMMENT ON COLUMN lead_protection.v_event_consumers.dead IS 'Dead letters: see v_dead_events.';
COMMENT ON COLUMN lead_protection.v_event_consumers.oldest_pending_at IS
'When the oldest event that it has not finished was written, dead letters aside; null: it has finished all. Exact as '
'long as no more than 1,000 wait; beyond that of the 1,000 that are available first.';
COMMENT ON COLUMN lead_protection.v_event_consumers.lag IS 'The age of that event.';
COMMENT ON COLUMN lead_protection.v_event_consumers.attempt_limit IS
'After so many failed attempts an event is a dead letter.';
COMMENT ON COLUMN lead_protection.v_event_consumers.retry_delay IS
'The pause after the first failure, doubled each time, up to a day.';
COMMENT ON COLUMN lead_protection.v_event_consumers.wake_up IS 'True: it is woken by NOTIFY lead_protection_events.';
COMMENT ON COLUMN lead_protection.v_event_consumers.registered_at IS 'When it was first registered.';
COMMENT ON COLUMN lead_protection.v_event_consumers.pending IS
'Events that it has not finished, dead letters aside: ready, leased and retrying.';
COMMENT ON COLUMN lead_protection.v_event_consumers.oldest_among IS
'Among how many of these oldest_pending_at is the oldest: 1,000 at most.';
