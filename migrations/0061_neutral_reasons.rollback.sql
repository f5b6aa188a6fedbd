INSERT INTO lead_protection.hold_reasons (code, stops_clock, description)
VALUES
('FFZ_PRICE_APPROVAL', true, 'The price waits for approval by FreshFoodz.'),
('FFZ_SAMPLE_DELAY', true, 'FreshFoodz is late with the samples.'),
('FFZ_SUPPLY_ISSUE', true, 'FreshFoodz cannot deliver.')
ON CONFLICT ON CONSTRAINT hold_reasons_pkey DO NOTHING;

-- Those that holds have stay: an older version knows them as reasons of the company.
DELETE FROM lead_protection.hold_reasons AS r
WHERE
    r.code IN ('PRICE_APPROVAL', 'SAMPLE_DELAY', 'SUPPLY_ISSUE', 'CLOSED_BY_MISTAKE')
    AND r.code NOT IN (SELECT h.reason_code FROM lead_protection.lead_holds AS h);

COMMENT ON COLUMN lead_protection.hold_reasons.code IS 'The reason, in capitals, such as FFZ_SUPPLY_ISSUE: what is given as reason to create_lead_hold().';
