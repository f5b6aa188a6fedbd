CREATE OR REPLACE VIEW lead_protection.v_dead_events AS
SELECT
    d.consumer_name,
    d.event_id,
    d.lead_id,
    e.type,
    e."timestamp",
    d.attempts,
    d.settled_at AS dead_since,
    d.error
FROM lead_protection.event_deliveries AS d
INNER JOIN lead_protection.outbox_events AS e ON d.event_id = e.id
WHERE d.status = 'dead';

COMMENT ON VIEW lead_protection.v_dead_events IS
'Dead letters: events that a consumer could not handle. replay_events() gives them to it again, discard_dead_events() '
'puts them aside.';
COMMENT ON COLUMN lead_protection.v_dead_events.consumer_name IS 'The consumer.';
COMMENT ON COLUMN lead_protection.v_dead_events.event_id IS 'The event.';
COMMENT ON COLUMN lead_protection.v_dead_events.lead_id IS 'Its lead.';
COMMENT ON COLUMN lead_protection.v_dead_events.type IS 'Its type.';
COMMENT ON COLUMN lead_protection.v_dead_events."timestamp" IS 'When it was written.';
COMMENT ON COLUMN lead_protection.v_dead_events.attempts IS 'How often it was tried.';
COMMENT ON COLUMN lead_protection.v_dead_events.dead_since IS 'When it was given up.';
COMMENT ON COLUMN lead_protection.v_dead_events.error IS 'What went wrong last, in the consumer''s words.';
