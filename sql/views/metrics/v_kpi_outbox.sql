-- Read at each scrape, whatever waits: counts from the partial indexes, and the age from the first that are available.
CREATE OR REPLACE VIEW lead_protection.v_kpi_outbox AS
SELECT
    c.consumer_name,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = c.consumer_name AND d.status = 'pending'
    ) AS pending,
    (
        SELECT count(*)
        FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = c.consumer_name AND d.status = 'dead'
    ) AS dead_letters,
    front.oldest_pending_at,
    now() - front.oldest_pending_at AS lag
FROM lead_protection.event_consumers AS c
LEFT JOIN LATERAL (
    SELECT min(e."timestamp") AS oldest_pending_at
    FROM (
        SELECT d.event_id
        FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = c.consumer_name AND d.status = 'pending'
        ORDER BY d.available_at, d.sequence_number
        LIMIT 1000
    ) AS f
    INNER JOIN lead_protection.outbox_events AS e ON f.event_id = e.id
) AS front ON true;

COMMENT ON VIEW lead_protection.v_kpi_outbox IS
'How far each consumer of events is behind, for each scrape. Exact as long as no more than 1,000 events wait; beyond '
'that the age is that of the oldest of the 1,000 that are available first, and v_event_consumers has it exact.';
COMMENT ON COLUMN lead_protection.v_kpi_outbox.consumer_name IS 'The consumer.';
COMMENT ON COLUMN lead_protection.v_kpi_outbox.pending IS 'Events that it has not finished, dead letters aside.';
COMMENT ON COLUMN lead_protection.v_kpi_outbox.dead_letters IS 'Events that it gave up: see v_dead_events.';
COMMENT ON COLUMN lead_protection.v_kpi_outbox.oldest_pending_at IS
'When the oldest that it has not finished was written; null: it has finished all.';
COMMENT ON COLUMN lead_protection.v_kpi_outbox.lag IS 'The age of that event, elapsed time.';
