CREATE OR REPLACE FUNCTION lead_protection.lock_event_deliveries(consumer_name text, event_ids uuid[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    PERFORM d.event_id
    FROM lead_protection.event_deliveries AS d
    WHERE
        d.consumer_name = lock_event_deliveries.consumer_name AND d.event_id = ANY(lock_event_deliveries.event_ids)
    ORDER BY d.sequence_number
    FOR UPDATE;
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_event_deliveries(text, uuid[]) IS
'Locks the consumer''s deliveries of these events in the order of the events, the same for all. Internal.';
