-- The kinds of activity, and which of them restart the idle clock of the parallel rule.
-- depends: 0001_schema

CREATE TABLE lead_protection.activity_kinds (
    kind text CONSTRAINT activity_kinds_pkey PRIMARY KEY
    CONSTRAINT activity_kinds_kind_in_capitals CHECK (kind ~ '^[A-Z][A-Z0-9_]{0,62}$'),
    qualifies boolean NOT NULL,
    description text NOT NULL CONSTRAINT activity_kinds_description_not_blank CHECK (description ~ '[^[:space:]]')
);

COMMENT ON TABLE lead_protection.activity_kinds IS
'The kinds of activity. Add rows as you need them; whether a kind qualifies never changes (LP011), for clocks depend on it: add a kind instead.';
COMMENT ON COLUMN lead_protection.activity_kinds.kind IS 'The kind, in capitals, such as QUALIFIED_CALL.';
COMMENT ON COLUMN lead_protection.activity_kinds.qualifies IS 'True: such an activity of the protected user restarts the idle clock of the parallel rule.';
COMMENT ON COLUMN lead_protection.activity_kinds.description IS 'What people understand by it.';

INSERT INTO lead_protection.activity_kinds (kind, qualifies, description)
VALUES
('QUALIFIED_CALL', true, 'A call in which the customer''s need was talked about.'),
('CUSTOMER_REACTION', true, 'The customer answered or asked.'),
('SCHEDULED_FOLLOWUP', true, 'A follow-up that was agreed with the customer and took place.'),
('SAMPLE_FEEDBACK', true, 'The customer''s opinion of a sample.'),
('ROI_PRESENTATION', true, 'The customer was shown what the offer earns them.'),
('EMAIL_SENT', false, 'An e-mail to the customer.'),
('LETTER_SENT', false, 'A letter to the customer.'),
('CALL_ATTEMPT', false, 'A call that reached nobody who decides.'),
('INTERNAL_NOTE', false, 'A note of the user.'),
('SYSTEM_NOTE', false, 'A note of a program.');
