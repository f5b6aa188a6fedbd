-- Holds get a catalogued reason and can be corrected, voided, and allowed to pass their limit.
-- depends: 0004_lead_holds 0011_lead_hold_result 0020_hold_reasons

ALTER TABLE lead_protection.lead_holds
ADD COLUMN reason_code text NOT NULL DEFAULT 'OTHER'
CONSTRAINT lead_holds_reason_code_fkey REFERENCES lead_protection.hold_reasons (code),
ADD COLUMN version integer NOT NULL DEFAULT 1,
ADD COLUMN limit_override_until timestamptz,
ADD COLUMN limit_noticed_at timestamptz,
ADD COLUMN overrun_at timestamptz,
ADD COLUMN voided_at timestamptz,
ADD COLUMN voided_by bigint,
ADD CONSTRAINT lead_holds_limit_override_finite CHECK (isfinite(limit_override_until)),
ADD CONSTRAINT lead_holds_overrun_has_ended CHECK (overrun_at IS NULL OR end_at IS NOT NULL),
ADD CONSTRAINT lead_holds_voided_by_somebody CHECK ((voided_at IS NULL) = (voided_by IS NULL));

DROP INDEX lead_protection.lead_holds_one_open;
CREATE UNIQUE INDEX lead_holds_one_open
ON lead_protection.lead_holds (lead_id, user_id) WHERE end_at IS NULL AND voided_at IS NULL;

DROP INDEX lead_protection.lead_holds_one_planned;
CREATE UNIQUE INDEX lead_holds_one_planned
ON lead_protection.lead_holds (lead_id, user_id, start_at, end_at)
WHERE end_at IS NOT NULL AND released_by IS NULL AND voided_at IS NULL AND overrun_at IS NULL;

COMMENT ON TABLE lead_protection.lead_holds IS
'Stop-clock holds. Write them with create_lead_hold(), release_lead_hold(), correct_lead_hold(), void_lead_hold() and their like for many leads, which log and publish what they do. Only holds of the lead''s present user that are not voided count; overlapping ones stop the clock once.';
COMMENT ON COLUMN lead_protection.lead_holds.reason IS 'Why the clock stops: the code of the catalog, or free text; never blank.';
COMMENT ON COLUMN lead_protection.lead_holds.reason_code IS 'The reason in hold_reasons; OTHER for free text.';
COMMENT ON COLUMN lead_protection.lead_holds.version IS 'Counts the changes of the row: a correction names the version that it was decided on.';
COMMENT ON COLUMN lead_protection.lead_holds.limit_override_until IS 'Until when an operator allowed it to last beyond the policy''s limit; null: not.';
COMMENT ON COLUMN lead_protection.lead_holds.limit_noticed_at IS 'When lead.hold.limit_near was published for it; null: not yet.';
COMMENT ON COLUMN lead_protection.lead_holds.overrun_at IS 'When the nightly job ended it, at the limit''s instant, because it had passed its limit; null: it did not.';
COMMENT ON COLUMN lead_protection.lead_holds.voided_at IS 'When it was declared void: it counts for nothing. Null: it stands.';
COMMENT ON COLUMN lead_protection.lead_holds.voided_by IS 'The actor who declared it void.';
COMMENT ON INDEX lead_protection.lead_holds_one_open IS 'One open hold per lead and user: what makes create_lead_hold() idempotent.';
COMMENT ON INDEX lead_protection.lead_holds_one_planned IS 'The same planned hold once: what makes create_lead_hold() with an end idempotent.';

ALTER TYPE lead_protection.lead_hold_result ADD ATTRIBUTE reason_code text;
ALTER TYPE lead_protection.lead_hold_result ADD ATTRIBUTE version integer;
