CREATE OR REPLACE VIEW lead_protection.v_cloud_events AS
SELECT
    e.id,
    e.sequence_number,
    e."timestamp",
    jsonb_build_object(
        'specversion', '1.0',
        'id', e.id,
        'source', '/lead-protection',
        'type', e.type,
        'subject', e.aggregatetype || '/' || e.aggregateid,
        'time', e.payload ->> 'occurred_at',
        'datacontenttype', 'application/json',
        'dataschema', 'urn:lead-protection:schema:' || e.type,
        'partitionkey', e.aggregateid,
        -- As text it must sort as the number does.
        'sequence', lpad(e.sequence_number::text, 19, '0'),
        'data', e.payload
    ) AS event
FROM lead_protection.outbox_events AS e;

COMMENT ON VIEW lead_protection.v_cloud_events IS
'The events in the outbox in the JSON format of CloudEvents 1.0, with the extensions partitionkey and sequence. time: '
'when it happened, UTC; dataschema: the $id of its JSON Schema in schemas/. A consumer joins what it claimed by id.';
COMMENT ON COLUMN lead_protection.v_cloud_events.id IS 'The event''s id.';
COMMENT ON COLUMN lead_protection.v_cloud_events.sequence_number IS 'The order of one lead''s events.';
COMMENT ON COLUMN lead_protection.v_cloud_events."timestamp" IS 'When the event was written.';
COMMENT ON COLUMN lead_protection.v_cloud_events.event IS 'The event as a CloudEvent.';
