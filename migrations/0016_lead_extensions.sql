-- Extensions on request: days that were granted to one protection.
-- depends: 0003_leads

CREATE TABLE lead_protection.lead_extensions (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lead_extensions_pkey PRIMARY KEY,
    lead_id bigint NOT NULL CONSTRAINT lead_extensions_lead_id_fkey REFERENCES lead_protection.leads (id),
    user_id bigint NOT NULL,
    days integer NOT NULL CONSTRAINT lead_extensions_days_sensible CHECK (days BETWEEN 1 AND 36500),
    reason varchar(255) NOT NULL CONSTRAINT lead_extensions_reason_not_blank CHECK (reason ~ '[^[:space:]]'),
    approved_by bigint NOT NULL,
    granted_by bigint NOT NULL,
    granted_at timestamptz NOT NULL CONSTRAINT lead_extensions_granted_at_finite CHECK (isfinite(granted_at)),
    request_key text NOT NULL,
    CONSTRAINT lead_extensions_request_once UNIQUE (lead_id, request_key),
    CONSTRAINT lead_extensions_request_key_sensible CHECK (
        request_key ~ '[^[:space:]]' AND length(request_key) <= 255
    )
);

COMMENT ON TABLE lead_protection.lead_extensions IS
'Extensions on request. Append-only; written by extend_lead(). One counts for the protection of its user in which it was granted: a transfer begins a new one.';
COMMENT ON COLUMN lead_protection.lead_extensions.id IS 'The extension''s number.';
COMMENT ON COLUMN lead_protection.lead_extensions.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_extensions.user_id IS 'The protected user who asked for it.';
COMMENT ON COLUMN lead_protection.lead_extensions.days IS 'Days, added on the local calendar of the policy.';
COMMENT ON COLUMN lead_protection.lead_extensions.reason IS 'Why it was granted; never blank.';
COMMENT ON COLUMN lead_protection.lead_extensions.approved_by IS 'The actor who approved it.';
COMMENT ON COLUMN lead_protection.lead_extensions.granted_by IS 'The actor who entered it.';
COMMENT ON COLUMN lead_protection.lead_extensions.granted_at IS 'When it was granted: it counts from then on.';
COMMENT ON COLUMN lead_protection.lead_extensions.request_key IS 'The caller''s key: the same key for a lead is the same request.';
