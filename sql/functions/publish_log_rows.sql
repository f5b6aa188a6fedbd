-- The one writer of the outbox: what is logged is published, in the same transaction, and nothing else is.
CREATE OR REPLACE FUNCTION lead_protection.publish_log_rows()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO lead_protection.outbox_events (id, aggregatetype, aggregateid, type, payload)
    SELECT
        n.event_id,
        'lead',
        n.lead_id::text,
        n.event_type,
        jsonb_strip_nulls(
            jsonb_build_object(
                'lead_id', n.lead_id,
                'user_id', n.user_id,
                'actor_id', n.actor_id,
                'occurred_at', lead_protection.instant_text(n.occurred_at),
                'state', n.state_after,
                'protection_expires_at', lead_protection.instant_text(n.expires_after)
            )
            || n.details - 'evidence'
        )
    FROM new_rows AS n;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.publish_log_rows() IS
'Trigger: writes the outbox event of each new protection_log row. Reason and evidence are left out: they are free text and may name a person.';

CREATE OR REPLACE TRIGGER publish_log_rows
AFTER INSERT ON lead_protection.protection_log REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.publish_log_rows();
