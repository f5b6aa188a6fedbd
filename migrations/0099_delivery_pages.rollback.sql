ALTER TABLE lead_protection.event_deliveries SET (fillfactor = 80);
