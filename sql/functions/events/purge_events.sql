CREATE OR REPLACE FUNCTION lead_protection.purge_events(keep interval)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old uuid [];
    purged bigint;
BEGIN
    -- Before any row, as register_event_consumer() does; the other way round the two would wait for each other.
    LOCK TABLE lead_protection.outbox_events IN ROW EXCLUSIVE MODE;
    -- replay_events() holds a lock of what it wants back.
    old := ARRAY(
        SELECT e.id
        FROM lead_protection.outbox_events AS e
        WHERE
            e."timestamp" < now() - purge_events.keep
            AND NOT EXISTS (
                SELECT
                FROM lead_protection.event_deliveries AS d
                WHERE d.event_id = e.id AND d.status IN ('pending', 'dead')
            )
        FOR UPDATE SKIP LOCKED
    );
    -- Looked at again, now that nobody can replay them any more.
    old := ARRAY(
        SELECT o.id
        FROM unnest(old) AS o (id)
        WHERE NOT EXISTS (
            SELECT
            FROM lead_protection.event_deliveries AS d
            WHERE d.event_id = o.id AND d.status IN ('pending', 'dead')
        )
    );
    DELETE FROM lead_protection.event_deliveries AS d WHERE d.event_id = ANY(old);
    DELETE FROM lead_protection.outbox_events AS e WHERE e.id = ANY(old);
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END;
$$;

COMMENT ON FUNCTION lead_protection.purge_events(interval) IS
'Deletes events that were written longer than keep ago and that every registered consumer has finished: none is '
'pending or a dead letter. Returns how many. protection_log keeps what they told, for ever. Internal: run_job_step() '
'calls it and has checked keep.';
