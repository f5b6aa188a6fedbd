-- The one writer of the outbox: what is logged is published, in the same transaction, and nothing else is.
CREATE OR REPLACE FUNCTION lead_protection.publish_log_rows()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Its callers forbid sequential scans, which makes that of the few consumers look so dear that JIT would compile it.
SET jit = off
AS $$
BEGIN
    -- What comes from another node was published there, and its events come with it.
    IF current_setting('lead_protection.leads_arrive', true) = 'on' THEN
        IF NOT EXISTS (SELECT FROM new_rows AS n WHERE NOT lead_protection.is_arriving(n.lead_id)) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO lead_protection.outbox_events (id, aggregatetype, aggregateid, type, payload)
    SELECT
        n.event_id,
        'lead',
        n.lead_id::text,
        n.event_type,
        lead_protection.event_payload(
            n.lead_id,
            -- Not joined: events are numbered in the order in which they were logged.
            (SELECT l.lead_key FROM lead_protection.leads AS l WHERE l.id = n.lead_id),
            n.user_id, n.actor_id, n.occurred_at, n.state_after, n.expires_after, n.details
        )
    FROM new_rows AS n;

    -- register_event_consumer() waits for all who hold the outbox's lock by now, and they for it. So this statement
    -- sees every consumer that will not fetch the event by itself; but a snapshot that is older than the lock would
    -- not.
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        PERFORM FROM lead_protection.settings AS s FOR SHARE;
    END IF;
    IF EXISTS (SELECT FROM lead_protection.event_consumers) THEN
        INSERT INTO lead_protection.event_deliveries (event_id, consumer_name, lead_id, sequence_number)
        SELECT e.id, c.consumer_name, n.lead_id, e.sequence_number
        FROM new_rows AS n
        INNER JOIN lead_protection.outbox_events AS e ON n.event_id = e.id
        INNER JOIN lead_protection.event_consumers AS c ON c.types IS NULL OR e.type = ANY(c.types);
        IF EXISTS (
            SELECT
            FROM lead_protection.event_consumers AS c
            INNER JOIN new_rows AS n ON c.types IS NULL OR n.event_type = ANY(c.types)
            WHERE c.wake_up
        ) THEN
            NOTIFY lead_protection_events;
        END IF;
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.publish_log_rows() IS
'Trigger: writes the outbox event of each new protection_log row, and its delivery to each consumer that takes its '
'type. Reason and evidence are left out: they are free text and may name a person. Error: 40001 in a REPEATABLE READ '
'or SERIALIZABLE transaction that began before a consumer was registered: run it again.';

CREATE OR REPLACE TRIGGER publish_log_rows
AFTER INSERT ON lead_protection.protection_log REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.publish_log_rows();
