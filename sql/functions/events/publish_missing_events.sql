-- A log row without its event was written while the log's trigger was switched off (session_replication_role = replica,
-- DISABLE TRIGGER). What is older than 29 days may have been purged, and is not looked at.
CREATE OR REPLACE FUNCTION lead_protection.publish_missing_events()
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    published bigint;
BEGIN
    WITH event AS (
        INSERT INTO lead_protection.outbox_events AS e (id, aggregatetype, aggregateid, type, payload)
        SELECT
            g.event_id, 'lead', g.lead_id::text, g.event_type,
            lead_protection.event_payload(
                g.lead_id, l.lead_key, g.user_id, g.actor_id, g.occurred_at, g.state_after, g.expires_after, g.details
            )
        FROM lead_protection.protection_log AS g
        LEFT JOIN lead_protection.leads AS l ON g.lead_id = l.id
        WHERE
            g.recorded_at > now() - INTERVAL '29 days'
            AND NOT EXISTS (SELECT FROM lead_protection.outbox_events AS o WHERE o.id = g.event_id)
        ORDER BY g.recorded_at
        ON CONFLICT DO NOTHING
        RETURNING e.id, e.aggregateid, e.type, e.sequence_number
    ),

    delivery AS (
        INSERT INTO lead_protection.event_deliveries (event_id, consumer_name, lead_id, sequence_number)
        SELECT e.id, c.consumer_name, e.aggregateid::bigint, e.sequence_number
        FROM event AS e
        INNER JOIN lead_protection.event_consumers AS c ON c.types IS NULL OR e.type = ANY(c.types)
    )

    SELECT count(*) INTO published FROM event;
    RETURN published;
END;
$$;

COMMENT ON FUNCTION lead_protection.publish_missing_events() IS
'Publishes the events of those log rows of the last 29 days that have none: they were written past the log''s trigger. '
'Returns how many; repeated: 0. Internal: run_nightly_maintenance() calls it, and health tells.';
