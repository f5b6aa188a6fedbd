DROP TABLE lead_protection.outbox_events CASCADE;
