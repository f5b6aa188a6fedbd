-- The ledger of expiries: one standing expiry for each lead and user.
-- depends: 0003_leads

CREATE TABLE lead_protection.lead_expiries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    lead_id bigint NOT NULL CONSTRAINT lead_expiries_lead_id_fkey REFERENCES lead_protection.leads (id),
    user_id bigint NOT NULL,
    protection_expires_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    reactivated_at timestamptz,
    CONSTRAINT lead_expiries_pkey PRIMARY KEY (lead_id, id),
    CONSTRAINT lead_expiries_protection_expires_at_finite CHECK (isfinite(protection_expires_at)),
    CONSTRAINT lead_expiries_recorded_at_finite CHECK (isfinite(recorded_at)),
    CONSTRAINT lead_expiries_recorded_when_reached CHECK (recorded_at >= protection_expires_at),
    CONSTRAINT lead_expiries_reactivated_after_recorded CHECK (reactivated_at >= recorded_at)
);

CREATE UNIQUE INDEX lead_expiries_one_standing
ON lead_protection.lead_expiries (lead_id, user_id) WHERE reactivated_at IS NULL;

COMMENT ON TABLE lead_protection.lead_expiries IS
'The ledger of expiries, written by record_expiries() together with the log row and the event. A correction may bring a lead back; its row then gets reactivated_at and a later expiry its own row.';
COMMENT ON COLUMN lead_protection.lead_expiries.id IS 'Tells the expiries of one lead apart.';
COMMENT ON COLUMN lead_protection.lead_expiries.lead_id IS 'The lead that became free.';
COMMENT ON COLUMN lead_protection.lead_expiries.user_id IS 'The user whose protection ended.';
COMMENT ON COLUMN lead_protection.lead_expiries.protection_expires_at IS 'The instant at which the protection ended.';
COMMENT ON COLUMN lead_protection.lead_expiries.recorded_at IS 'When the expiry was recorded and its event written.';
COMMENT ON COLUMN lead_protection.lead_expiries.reactivated_at IS 'When the lead was seen protected again; null: the expiry stands.';
COMMENT ON INDEX lead_protection.lead_expiries_one_standing IS 'One standing expiry per lead and user: what makes record_expiries() idempotent.';
