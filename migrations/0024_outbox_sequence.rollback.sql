DROP INDEX lead_protection.outbox_events_timestamp;
ALTER TABLE lead_protection.outbox_events DROP COLUMN sequence_number;
