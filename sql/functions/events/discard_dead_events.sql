CREATE OR REPLACE FUNCTION lead_protection.discard_dead_events(consumer_name text, event_ids uuid[], reason text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    discarded bigint;
BEGIN
    PERFORM lead_protection.require_event_consumer(discard_dead_events.consumer_name);
    PERFORM lead_protection.require_arguments(jsonb_build_object('event_ids', discard_dead_events.event_ids));
    PERFORM lead_protection.require_reason(discard_dead_events.reason);
    PERFORM lead_protection.lock_event_deliveries(discard_dead_events.consumer_name, discard_dead_events.event_ids);
    UPDATE lead_protection.event_deliveries AS d
    SET status = 'discarded', error = concat_ws('; ', d.error, 'discarded: ' || discard_dead_events.reason)
    WHERE
        d.consumer_name = discard_dead_events.consumer_name AND d.event_id = ANY(discard_dead_events.event_ids)
        AND d.status = 'dead';
    GET DIAGNOSTICS discarded = ROW_COUNT;
    RETURN discarded;
END;
$$;

COMMENT ON FUNCTION lead_protection.discard_dead_events(text, uuid[], text) IS
'Puts dead letters aside that need no handling any more, for operators; reason: why, 1 to 255 characters. They count '
'no longer, and retention may take them; replay_events(dead_only => true) brings them back until then.
Returns how many; repeated: 0. Events that are no dead letters are left alone. Errors: LP001, LP004, LP038.';
