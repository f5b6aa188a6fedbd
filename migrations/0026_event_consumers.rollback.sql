-- The role stays, like those of 0001: it belongs to the whole server.
DROP TABLE lead_protection.event_deliveries;
DROP TABLE lead_protection.event_consumers;
