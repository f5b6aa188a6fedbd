-- The order of a lead's events, which no clock that is set back can turn round, and the way to them by time.
-- depends: 0009_outbox_events

ALTER TABLE lead_protection.outbox_events ADD COLUMN sequence_number bigint;

-- Those there are already get theirs in the order in which they were written; the triggers would refuse that.
ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER USER;
UPDATE lead_protection.outbox_events AS e
SET sequence_number = n.sequence_number
FROM (
    SELECT
        o.id,
        row_number() OVER (ORDER BY o."timestamp", o.id) AS sequence_number
    FROM lead_protection.outbox_events AS o
) AS n
WHERE e.id = n.id;
ALTER TABLE lead_protection.outbox_events ENABLE TRIGGER USER;

ALTER TABLE lead_protection.outbox_events
ALTER COLUMN sequence_number SET NOT NULL;
ALTER TABLE lead_protection.outbox_events
ALTER COLUMN sequence_number ADD GENERATED ALWAYS AS IDENTITY;
DO $sequence$
BEGIN
    PERFORM pg_catalog.setval(
        pg_catalog.pg_get_serial_sequence('lead_protection.outbox_events', 'sequence_number'),
        (SELECT pg_catalog.count(*) + 1 FROM lead_protection.outbox_events),
        false
    );
END
$sequence$;

CREATE INDEX outbox_events_timestamp ON lead_protection.outbox_events ("timestamp");

COMMENT ON COLUMN lead_protection.outbox_events.sequence_number IS 'The order of one lead''s events: they are written under the lock of the lead. It says nothing about events of different leads: a later one may be committed first.';
COMMENT ON INDEX lead_protection.outbox_events_timestamp IS 'Events by time: for replay and retention.';
