CREATE OR REPLACE FUNCTION lead_protection.fail_events(
    consumer_name text, lease_token uuid, event_ids uuid[], error text
)
RETURNS TABLE (event_id uuid, status text, changed boolean, retry_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    consumer lead_protection.event_consumers;
    failed_at timestamptz;
BEGIN
    consumer := lead_protection.require_event_consumer(fail_events.consumer_name);
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lease_token', fail_events.lease_token, 'event_ids', fail_events.event_ids, 'error', fail_events.error
        )
    );
    PERFORM lead_protection.lock_event_deliveries(fail_events.consumer_name, fail_events.event_ids);
    failed_at := clock_timestamp();
    -- First those that stay as they are: what this call changes is not told from them afterwards.
    RETURN QUERY
    SELECT a.event_id, d.status, false, CASE WHEN d.status = 'pending' THEN d.available_at END
    FROM (SELECT DISTINCT g.event_id FROM unnest(fail_events.event_ids) AS g (event_id)) AS a
    LEFT JOIN lead_protection.event_deliveries AS d
        ON a.event_id = d.event_id AND d.consumer_name = consumer.consumer_name
    WHERE (d.status = 'pending' AND d.lease_token = fail_events.lease_token) IS NOT TRUE;
    RETURN QUERY
    UPDATE lead_protection.event_deliveries AS d
    SET
        status = CASE WHEN d.attempts >= consumer.attempt_limit THEN 'dead' ELSE 'pending' END,
        settled_at = CASE WHEN d.attempts >= consumer.attempt_limit THEN failed_at END,
        available_at = failed_at + lead_protection.retry_pause(consumer.retry_delay, d.attempts),
        lease_token = NULL,
        error = fail_events.error
    WHERE
        d.consumer_name = consumer.consumer_name AND d.event_id = ANY(fail_events.event_ids)
        AND d.status = 'pending' AND d.lease_token = fail_events.lease_token
    RETURNING d.event_id, d.status, true, CASE WHEN d.status = 'pending' THEN d.available_at END;
END;
$$;

COMMENT ON FUNCTION lead_protection.fail_events(text, uuid, uuid[], text) IS
'Says that these events, claimed under lease_token, could not be handled; error: why, for operators. Each can be '
'claimed again at retry_at: after the consumer''s retry_delay, doubled with each attempt, up to a day; after '
'attempt_limit attempts it is a dead letter, and the lead''s next event is handed out.
Returns a row for each: its status now, and changed = true if this very call failed it; false as for '
'acknowledge_events(). Repeated: changed = false. Errors: LP001, LP038.';
