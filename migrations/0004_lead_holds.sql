-- The holds: while one is in force, the clock of its lead and user stands still.
-- depends: 0003_leads

CREATE TABLE lead_protection.lead_holds (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lead_holds_pkey PRIMARY KEY,
    lead_id bigint NOT NULL CONSTRAINT lead_holds_lead_id_fkey REFERENCES lead_protection.leads (id),
    user_id bigint NOT NULL,
    reason varchar(255) NOT NULL,
    start_at timestamptz NOT NULL DEFAULT now(),
    end_at timestamptz,
    created_by bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    released_by bigint,
    CONSTRAINT lead_holds_reason_not_blank CHECK (reason ~ '[^[:space:]]'),
    -- A slip of the keyboard in a year must not reach the lists of everybody.
    CONSTRAINT lead_holds_start_at_sensible CHECK (
        start_at >= '1900-01-01 00:00:00+00' AND start_at < '3000-01-01 00:00:00+00'
    ),
    CONSTRAINT lead_holds_end_at_sensible CHECK (end_at < '3000-01-01 00:00:00+00'),
    -- Equal is allowed: a hold that is released before it began stops nothing.
    CONSTRAINT lead_holds_end_not_before_start CHECK (end_at >= start_at),
    CONSTRAINT lead_holds_released_has_ended CHECK (released_by IS NULL OR end_at IS NOT NULL)
);

CREATE INDEX idx_lead_holds_lead_user ON lead_protection.lead_holds (lead_id, user_id);

CREATE UNIQUE INDEX lead_holds_one_open
ON lead_protection.lead_holds (lead_id, user_id) WHERE end_at IS NULL;

CREATE UNIQUE INDEX lead_holds_one_planned
ON lead_protection.lead_holds (lead_id, user_id, start_at, end_at)
WHERE end_at IS NOT NULL AND released_by IS NULL;

COMMENT ON TABLE lead_protection.lead_holds IS
'Stop-clock holds. Write them with create_lead_hold() and release_lead_hold(), which log and publish what they do. Only holds of the lead''s present user count; overlapping ones stop the clock once.';
COMMENT ON COLUMN lead_protection.lead_holds.id IS 'The hold''s number.';
COMMENT ON COLUMN lead_protection.lead_holds.lead_id IS 'The lead whose clock stops.';
COMMENT ON COLUMN lead_protection.lead_holds.user_id IS 'The protected user it was made for.';
COMMENT ON COLUMN lead_protection.lead_holds.reason IS 'Why the clock stops; never blank.';
COMMENT ON COLUMN lead_protection.lead_holds.start_at IS 'The clock stops here (inclusive).';
COMMENT ON COLUMN lead_protection.lead_holds.end_at IS 'The clock runs again from here on; null: open, until released.';
COMMENT ON COLUMN lead_protection.lead_holds.created_by IS 'The actor who made it.';
COMMENT ON COLUMN lead_protection.lead_holds.created_at IS 'When the row was made, which need not be when the hold starts.';
COMMENT ON COLUMN lead_protection.lead_holds.released_by IS 'The actor who released it; null while it stands or when it ended as planned.';
COMMENT ON INDEX lead_protection.idx_lead_holds_lead_user IS 'The holds of a lead and user.';
COMMENT ON INDEX lead_protection.lead_holds_one_open IS 'One open hold per lead and user: what makes create_lead_hold() idempotent.';
COMMENT ON INDEX lead_protection.lead_holds_one_planned IS 'The same planned hold once: what makes create_lead_hold() with an end idempotent.';
