CREATE OR REPLACE VIEW lead_protection.v_cloud_events AS
SELECT
    e.id,
    e.sequence_number,
    e."timestamp",
    lead_protection.cloud_event(e) AS event
FROM lead_protection.outbox_events AS e;

COMMENT ON VIEW lead_protection.v_cloud_events IS
'The events in the outbox in the JSON format of CloudEvents 1.0. A consumer joins what it claimed by id.';
COMMENT ON COLUMN lead_protection.v_cloud_events.id IS 'The event''s id.';
COMMENT ON COLUMN lead_protection.v_cloud_events.sequence_number IS 'The order of one lead''s events.';
COMMENT ON COLUMN lead_protection.v_cloud_events."timestamp" IS 'When the event was written.';
COMMENT ON COLUMN lead_protection.v_cloud_events.event IS 'The event as a CloudEvent.';
