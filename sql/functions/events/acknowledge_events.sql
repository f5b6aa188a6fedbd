CREATE OR REPLACE FUNCTION lead_protection.acknowledge_events(consumer_name text, lease_token uuid, event_ids uuid[])
RETURNS TABLE (event_id uuid, status text, changed boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM lead_protection.require_event_consumer(acknowledge_events.consumer_name);
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lease_token', acknowledge_events.lease_token, 'event_ids', acknowledge_events.event_ids
        )
    );
    PERFORM lead_protection.lock_event_deliveries(acknowledge_events.consumer_name, acknowledge_events.event_ids);
    -- First those that stay as they are: what this call changes is not told from them afterwards.
    RETURN QUERY
    SELECT a.event_id, d.status, false
    FROM (SELECT DISTINCT g.event_id FROM unnest(acknowledge_events.event_ids) AS g (event_id)) AS a
    LEFT JOIN lead_protection.event_deliveries AS d
        ON a.event_id = d.event_id AND d.consumer_name = acknowledge_events.consumer_name
    WHERE (d.status = 'pending' AND d.lease_token = acknowledge_events.lease_token) IS NOT TRUE;
    RETURN QUERY
    UPDATE lead_protection.event_deliveries AS d
    SET status = 'acknowledged', settled_at = clock_timestamp(), error = NULL
    WHERE
        d.consumer_name = acknowledge_events.consumer_name AND d.event_id = ANY(acknowledge_events.event_ids)
        AND d.status = 'pending' AND d.lease_token = acknowledge_events.lease_token
    RETURNING d.event_id, d.status, true;
END;
$$;

COMMENT ON FUNCTION lead_protection.acknowledge_events(text, uuid, uuid[]) IS
'Says that these events, claimed under lease_token, are handled. Returns a row for each: its status now, and changed = '
'true if this very call acknowledged it. changed = false with status acknowledged: it was already (a repeated call); '
'with pending: the lease ran out and somebody else has it or will, who handles it again; with dead or discarded: it '
'was given up meanwhile; status null: the consumer has no such event.
A lease that ran out holds until somebody else claims the event. Call it in the transaction that does the work, where '
'that is in this database: then the work is done exactly once. Errors: LP001, LP038.';
