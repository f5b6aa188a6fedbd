-- The reasons for a hold that FreshFoodz has beside those of every company. A company's own reasons are rows: this file
-- is how to add them, and can be run again.
INSERT INTO lead_protection.hold_reasons (code, stops_clock, description)
VALUES
('FFZ_PRICE_APPROVAL', true, 'The price waits for approval by FreshFoodz.'),
('FFZ_SAMPLE_DELAY', true, 'FreshFoodz is late with the samples.'),
('FFZ_SUPPLY_ISSUE', true, 'FreshFoodz cannot deliver.')
ON CONFLICT ON CONSTRAINT hold_reasons_pkey DO NOTHING;
