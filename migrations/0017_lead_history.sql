-- What a lead was before: for whom, under which policy, from when, closed or not.
-- depends: 0003_leads 0012_policy_versions

ALTER TABLE lead_protection.leads
ADD COLUMN closed_as text,
ADD COLUMN changed_at timestamptz,
ADD CONSTRAINT leads_closed_as_known CHECK (closed_as IN ('CONVERTED', 'LOST', 'DELETED')),
ADD CONSTRAINT leads_closed_as_when_closed CHECK (closed_as IS NULL OR closed_at IS NOT NULL),
ADD CONSTRAINT leads_changed_at_finite CHECK (isfinite(changed_at));

COMMENT ON TABLE lead_protection.leads IS
'The leads, as they are now; lead_history has what they were before. Applications insert rows and change them with transfer_lead(), backdate_lead(), close_lead(), reopen_lead() and delete_lead(). Triggers refuse bad input and keep lead_clocks in step in the same transaction. A row is never deleted.';
COMMENT ON COLUMN lead_protection.leads.user_id IS 'The user for whom the lead is protected: who brought it in, or to whom it was transferred.';
COMMENT ON COLUMN lead_protection.leads.policy_id IS 'The terms; when left out at the insert, the user''s policy of that moment, or else the default.';
COMMENT ON COLUMN lead_protection.leads.created_at IS 'When the protection of user_id started: when the lead was brought in, or transferred. Never in the future (LP010).';
COMMENT ON COLUMN lead_protection.leads.closed_as IS 'CONVERTED, LOST or DELETED; null while it is open, or if it was closed as a row.';
COMMENT ON COLUMN lead_protection.leads.changed_at IS 'When one of our functions last changed the row. An update that leaves it as it is was made by hand, and is logged as lead.changed.';

CREATE TABLE lead_protection.lead_history (
    lead_id bigint NOT NULL CONSTRAINT lead_history_lead_id_fkey REFERENCES lead_protection.leads (id),
    valid_until timestamptz NOT NULL CONSTRAINT lead_history_valid_until_finite CHECK (isfinite(valid_until)),
    user_id bigint NOT NULL,
    policy_id bigint NOT NULL
    CONSTRAINT lead_history_policy_id_fkey REFERENCES lead_protection.protection_policies (id),
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT lead_history_pkey PRIMARY KEY (lead_id, valid_until)
);

COMMENT ON TABLE lead_protection.lead_history IS
'What a lead was before its user, its policy or its closing changed: a row for each change, written by a trigger on leads. At an instant the lead was what the row with the earliest valid_until after it says, or what leads says if there is none. A start that is corrected is corrected here, too: the log has the old one.';
COMMENT ON COLUMN lead_protection.lead_history.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_history.valid_until IS 'When it ceased to be so; at that instant it was already what came next.';
COMMENT ON COLUMN lead_protection.lead_history.user_id IS 'The protected user until then.';
COMMENT ON COLUMN lead_protection.lead_history.policy_id IS 'The terms until then.';
COMMENT ON COLUMN lead_protection.lead_history.created_at IS 'When that user''s protection had started.';
COMMENT ON COLUMN lead_protection.lead_history.closed_at IS 'When it had been closed; null: it was open.';
