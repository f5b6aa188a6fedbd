-- A row for each consumer even when nothing waits for it. What is counted is read from the partial indexes.
CREATE OR REPLACE VIEW lead_protection.v_event_consumers AS
SELECT
    c.consumer_name,
    c.types,
    coalesce(p.ready, 0) AS ready,
    coalesce(p.leased, 0) AS leased,
    coalesce(p.retrying, 0) AS retrying,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS x
        WHERE x.consumer_name = c.consumer_name AND x.status = 'dead'
    ) AS dead,
    p.oldest_pending_at,
    now() - p.oldest_pending_at AS lag,
    c.attempt_limit,
    c.retry_delay,
    c.wake_up,
    c.registered_at
FROM lead_protection.event_consumers AS c
LEFT JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE d.available_at <= now()) AS ready,
        count(*) FILTER (WHERE d.available_at > now() AND d.lease_token IS NOT NULL) AS leased,
        count(*) FILTER (WHERE d.available_at > now() AND d.lease_token IS NULL) AS retrying,
        min(e."timestamp") AS oldest_pending_at
    FROM lead_protection.event_deliveries AS d
    INNER JOIN lead_protection.outbox_events AS e ON d.event_id = e.id
    WHERE d.consumer_name = c.consumer_name AND d.status = 'pending'
) AS p ON true;

COMMENT ON VIEW lead_protection.v_event_consumers IS
'The registered consumers and how far each has come. lag is elapsed time, instants are timestamptz.';
COMMENT ON COLUMN lead_protection.v_event_consumers.consumer_name IS 'The consumer.';
COMMENT ON COLUMN lead_protection.v_event_consumers.types IS 'The event types it takes; null: all.';
COMMENT ON COLUMN lead_protection.v_event_consumers.ready IS
'Events that wait to be claimed, those behind an earlier one of their lead and those whose lease ran out included.';
COMMENT ON COLUMN lead_protection.v_event_consumers.leased IS 'Events that are being handled.';
COMMENT ON COLUMN lead_protection.v_event_consumers.retrying IS 'Events that failed and wait for their next attempt.';
COMMENT ON COLUMN lead_protection.v_event_consumers.dead IS 'Dead letters: see v_dead_events.';
COMMENT ON COLUMN lead_protection.v_event_consumers.oldest_pending_at IS
'When the oldest event that it has not finished was written, dead letters aside; null: it has finished all.';
COMMENT ON COLUMN lead_protection.v_event_consumers.lag IS 'The age of that event.';
COMMENT ON COLUMN lead_protection.v_event_consumers.attempt_limit IS
'After so many failed attempts an event is a dead letter.';
COMMENT ON COLUMN lead_protection.v_event_consumers.retry_delay IS
'The pause after the first failure, doubled each time, up to a day.';
COMMENT ON COLUMN lead_protection.v_event_consumers.wake_up IS 'True: it is woken by NOTIFY lead_protection_events.';
COMMENT ON COLUMN lead_protection.v_event_consumers.registered_at IS 'When it was first registered.';
