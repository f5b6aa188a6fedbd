CREATE OR REPLACE FUNCTION lead_protection.cloud_event(event lead_protection.outbox_events)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'specversion', '1.0',
    'id', event.id,
    'source', '/lead-protection',
    'type', event.type,
    'subject', event.aggregatetype || '/' || event.aggregateid,
    'time', event.payload ->> 'occurred_at',
    'datacontenttype', 'application/json',
    'dataschema', 'urn:lead-protection:schema:' || event.type,
    'partitionkey', event.aggregateid,
    -- As text it must sort as the number does.
    'sequence', lpad(event.sequence_number::text, 19, '0'),
    'data', event.payload
);

COMMENT ON FUNCTION lead_protection.cloud_event(lead_protection.outbox_events) IS
'An event in the JSON format of CloudEvents 1.0, with the extensions partitionkey and sequence. time: when it '
'happened, UTC; dataschema: the $id of its JSON Schema in schemas/.';
