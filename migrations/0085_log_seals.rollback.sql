DELETE FROM lead_protection.event_deliveries AS d
USING lead_protection.outbox_events AS e
WHERE d.event_id = e.id AND e.aggregatetype = 'log';
DELETE FROM lead_protection.outbox_events AS e
WHERE e.aggregatetype = 'log';
ALTER TABLE lead_protection.outbox_events
DROP CONSTRAINT outbox_events_type_dotted,
ADD CONSTRAINT outbox_events_type_dotted CHECK (type ~ '^lead(\.[a-z_]+)+$');
COMMENT ON TABLE lead_protection.outbox_events IS
'Events for other systems, one for each protection_log row and in its transaction. Never updated.';
COMMENT ON COLUMN lead_protection.outbox_events.id IS 'The event''s id, the same as in protection_log: consumers drop repeats by it.';
COMMENT ON COLUMN lead_protection.outbox_events.aggregatetype IS 'Always lead.';
COMMENT ON COLUMN lead_protection.outbox_events.aggregateid IS 'The lead''s number as text: the key by which order is kept.';
DROP TABLE lead_protection.log_seals;
DROP TABLE lead_protection.log_nodes;
DROP TABLE lead_protection.log_leaves;
ALTER TABLE lead_protection.protection_log DROP COLUMN transaction_id;
