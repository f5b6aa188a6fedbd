-- The reasons that every company has. Those of one company are data: examples/freshfoodz.sql has FreshFoodz'.
-- depends: 0060_entering_leads

SET LOCAL search_path = pg_catalog, pg_temp;

INSERT INTO lead_protection.hold_reasons (code, stops_clock, description)
VALUES
('PRICE_APPROVAL', true, 'The price waits for approval.'),
('SAMPLE_DELAY', true, 'The samples are late.'),
('SUPPLY_ISSUE', true, 'The goods cannot be delivered.'),
('CLOSED_BY_MISTAKE', false, 'The lead was closed by mistake: void_lead_closing() enters it.')
ON CONFLICT ON CONSTRAINT hold_reasons_pkey DO NOTHING;

-- A database that had them keeps them. In a new one no code is loaded yet, and there is no lead.
DELETE FROM lead_protection.hold_reasons AS r
WHERE
    r.code IN ('FFZ_PRICE_APPROVAL', 'FFZ_SAMPLE_DELAY', 'FFZ_SUPPLY_ISSUE')
    AND pg_catalog.to_regprocedure('lead_protection.hold_reason_code(text)') IS NULL
    AND NOT EXISTS (SELECT FROM lead_protection.leads);

COMMENT ON COLUMN lead_protection.hold_reasons.code IS
'The reason, in capitals, such as SUPPLY_ISSUE: what is given as reason to create_lead_hold(). Whatever equals it but '
'for case, blanks, hyphens and underscores is it.';
