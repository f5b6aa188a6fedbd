-- The catalog of reasons for a hold, and which of them may stop the clock.
-- depends: 0001_schema

CREATE TABLE lead_protection.hold_reasons (
    code text CONSTRAINT hold_reasons_pkey PRIMARY KEY
    CONSTRAINT hold_reasons_code_in_capitals CHECK (code ~ '^[A-Z][A-Z0-9_]{0,62}$'),
    stops_clock boolean NOT NULL,
    description text NOT NULL CONSTRAINT hold_reasons_description_not_blank CHECK (description ~ '[^[:space:]]')
);

COMMENT ON TABLE lead_protection.hold_reasons IS
'The catalog of reasons for a hold. Add rows as you need them. stops_clock is asked when a hold is made: to change it moves no hold that stands.';
COMMENT ON COLUMN lead_protection.hold_reasons.code IS 'The reason, in capitals, such as FFZ_SUPPLY_ISSUE: what is given as reason to create_lead_hold().';
COMMENT ON COLUMN lead_protection.hold_reasons.stops_clock IS 'True: it may stop the clock; false: a hold for it is refused (LP031).';
COMMENT ON COLUMN lead_protection.hold_reasons.description IS 'What people understand by it.';

INSERT INTO lead_protection.hold_reasons (code, stops_clock, description)
VALUES
('FFZ_PRICE_APPROVAL', true, 'The price waits for approval by FreshFoodz.'),
('FFZ_SAMPLE_DELAY', true, 'FreshFoodz is late with the samples.'),
('FFZ_SUPPLY_ISSUE', true, 'FreshFoodz cannot deliver.'),
('CUSTOMER_BLOCKED', true, 'The customer cannot decide for reasons of their own.'),
('OTHER', true, 'Another reason, said in free text.'),
('USER_NEEDS_TIME', false, 'The user wants more time: that is an extension, see extend_lead().');
