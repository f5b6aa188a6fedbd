CREATE OR REPLACE FUNCTION lead_protection.claim_events(
    consumer_name text, batch_size integer DEFAULT 100, lease interval DEFAULT INTERVAL '5 minutes'
)
RETURNS TABLE (
    id uuid, aggregatetype text, aggregateid text, type text, payload jsonb, "timestamp" timestamptz,
    sequence_number bigint, attempt integer, lease_token uuid, leased_until timestamptz
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- The plan must not be one for the empty table that the statistics may speak of: to read and sort all that waits looks
-- as cheap then as to look up the first of a lead.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
    consumer lead_protection.event_consumers;
    claimed_at timestamptz;
    token CONSTANT uuid := gen_random_uuid();
BEGIN
    consumer := lead_protection.require_event_consumer(claim_events.consumer_name);
    IF
        coalesce(claim_events.batch_size NOT BETWEEN 1 AND 10000, true)
        OR coalesce(claim_events.lease NOT BETWEEN INTERVAL '1 millisecond' AND INTERVAL '1 day', true)
    THEN
        RAISE EXCEPTION 'events cannot be claimed like this'
            USING ERRCODE = 'LP042',
            DETAIL = format('Given: batch_size %L, lease %L.', claim_events.batch_size, claim_events.lease),
            HINT = 'batch_size is 1 to 10000; lease, the time in which a batch is surely handled, 1 millisecond to '
            '1 day.';
    END IF;
    claimed_at := clock_timestamp();

    -- Its last lease ran out at the last attempt: whoever takes it dies of it.
    UPDATE lead_protection.event_deliveries AS d
    SET status = 'dead', settled_at = claimed_at, error = 'the lease ran out'
    FROM (
        SELECT w.event_id
        FROM lead_protection.event_deliveries AS w
        WHERE
            w.consumer_name = consumer.consumer_name AND w.status = 'pending' AND w.lease_token IS NOT NULL
            AND w.available_at <= claimed_at AND w.attempts >= consumer.attempt_limit
        FOR UPDATE SKIP LOCKED
    ) AS exhausted
    WHERE d.event_id = exhausted.event_id AND d.consumer_name = consumer.consumer_name;

    RETURN QUERY
    WITH claimable AS MATERIALIZED (
        SELECT w.event_id
        FROM lead_protection.event_deliveries AS w
        WHERE
            w.consumer_name = consumer.consumer_name AND w.status = 'pending' AND w.available_at <= claimed_at
            -- The order of a lead's events is kept by handing out only the first that is not finished. As a look-up in
            -- an index: NOT EXISTS could become a join, and without statistics one that takes the square of the time.
            AND w.sequence_number = (
                SELECT p.sequence_number
                FROM lead_protection.event_deliveries AS p
                WHERE p.lead_id = w.lead_id AND p.consumer_name = consumer.consumer_name AND p.status = 'pending'
                ORDER BY p.sequence_number
                LIMIT 1
            )
        ORDER BY w.available_at, w.sequence_number
        LIMIT claim_events.batch_size
        FOR UPDATE OF w SKIP LOCKED
    ),

    claimed AS (
        UPDATE lead_protection.event_deliveries AS d
        SET attempts = d.attempts + 1, lease_token = token, available_at = claimed_at + claim_events.lease
        FROM claimable AS w
        WHERE d.event_id = w.event_id AND d.consumer_name = consumer.consumer_name
        RETURNING d.event_id, d.attempts, d.available_at
    )

    SELECT
        e.id, e.aggregatetype, e.aggregateid, e.type, e.payload, e."timestamp", e.sequence_number,
        c.attempts, token, c.available_at
    FROM claimed AS c
    INNER JOIN lead_protection.outbox_events AS e ON c.event_id = e.id
    ORDER BY e.sequence_number;
END;
$$;

COMMENT ON FUNCTION lead_protection.claim_events(text, integer, interval) IS
'Hands out events that wait for the consumer, the longest waiting first, batch_size (1 to 10000) at most, no two of '
'one lead: its next one comes when this one is acknowledged or a dead letter. They are the caller''s for the time of '
'lease (elapsed, up to 1 day), under lease_token; then, unless acknowledged or failed, they can be claimed again. '
'attempt counts from 1.
Commit before you handle them. Many sessions may claim at once; none waits for another. Repeated: hands out the '
'next ones; no rows: nothing waits now.
At least once: whoever dies before acknowledging leaves events that are handed out again, with the same id. Errors: '
'LP038 not registered, LP042 bad batch_size or lease.';
