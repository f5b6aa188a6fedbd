CREATE OR REPLACE FUNCTION lead_protection.replay_events(
    consumer_name text,
    since timestamptz,
    until timestamptz DEFAULT NULL,
    types text[] DEFAULT NULL,
    dead_only boolean DEFAULT false
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    consumer lead_protection.event_consumers;
    event_ids uuid [];
    replayed bigint;
BEGIN
    consumer := lead_protection.require_event_consumer(replay_events.consumer_name);
    PERFORM lead_protection.require_arguments(
        jsonb_build_object('since', replay_events.since::text, 'dead_only', replay_events.dead_only)
    );
    PERFORM lead_protection.require_event_types(replay_events.types);
    IF replay_events.until <= replay_events.since THEN
        RAISE EXCEPTION 'until is not after since'
            USING ERRCODE = 'LP006',
            DETAIL = format(
                'Given: since %s, until %s.',
                coalesce(lead_protection.instant_text(replay_events.since), replay_events.since::text),
                coalesce(lead_protection.instant_text(replay_events.until), replay_events.until::text)
            ),
            HINT = 'Check the order of the two instants and their time zones.';
    END IF;

    -- Retention must not take them at this very moment.
    event_ids := ARRAY(
        SELECT e.id
        FROM lead_protection.outbox_events AS e
        WHERE
            e."timestamp" >= replay_events.since
            AND (replay_events.until IS NULL OR e."timestamp" < replay_events.until)
            AND (
                coalesce(replay_events.types, consumer.types) IS NULL
                OR e.type = ANY(coalesce(replay_events.types, consumer.types))
            )
            AND (
                NOT replay_events.dead_only
                OR EXISTS (
                    SELECT
                    FROM lead_protection.event_deliveries AS d
                    WHERE
                        d.event_id = e.id AND d.consumer_name = replay_events.consumer_name
                        AND d.status IN ('dead', 'discarded')
                )
            )
        ORDER BY e.sequence_number
        FOR KEY SHARE
    );
    INSERT INTO lead_protection.event_deliveries AS d (event_id, consumer_name, lead_id, sequence_number)
    SELECT e.id, consumer.consumer_name, e.aggregateid::bigint, e.sequence_number
    FROM lead_protection.outbox_events AS e
    WHERE e.id = ANY(event_ids)
    ORDER BY e.sequence_number
    ON CONFLICT ON CONSTRAINT event_deliveries_pkey DO UPDATE
    SET
        status = 'pending', attempts = 0, available_at = excluded.available_at, lease_token = NULL,
        settled_at = NULL, error = NULL
    WHERE d.status <> 'pending' AND (d.status IN ('dead', 'discarded') OR NOT replay_events.dead_only);
    GET DIAGNOSTICS replayed = ROW_COUNT;
    RETURN replayed;
END;
$$;

COMMENT ON FUNCTION lead_protection.replay_events(text, timestamptz, timestamptz, text[], boolean) IS
'Has a consumer get events again, or for the first time, that were written at or after since and before until (null, '
'the default: no end), for operators. types: of these types (null, the default: those the consumer takes); dead_only: '
'only its dead letters, and those discarded.
Returns how many; those still pending are left as they are, so that a repeated call returns 0. The same ids as before: '
'a consumer that drops repeats by id must be told. Among themselves they keep each lead''s order; the lead''s later '
'events may have been handled before. What retention has deleted cannot be replayed.
Errors: LP001, LP006 until not after since, LP038 not registered, LP039 unknown type.';
