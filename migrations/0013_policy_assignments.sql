-- Which policy a new lead gets: who decided it, when, for whom.
-- depends: 0012_policy_versions

CREATE TABLE lead_protection.policy_assignments (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT policy_assignments_pkey PRIMARY KEY,
    user_id bigint,
    policy_id bigint
    CONSTRAINT policy_assignments_policy_id_fkey REFERENCES lead_protection.protection_policies (id),
    assigned_by bigint NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT policy_assignments_default_is_a_policy CHECK (user_id IS NOT NULL OR policy_id IS NOT NULL)
);

CREATE INDEX policy_assignments_user ON lead_protection.policy_assignments (user_id, id);

COMMENT ON TABLE lead_protection.policy_assignments IS
'Append-only: each decision which policy new leads get, of one user or of all. A user''s last row counts; a user without one gets the default policy. Running clocks keep their policy. Written by assign_user_policy() and set_default_policy().';
COMMENT ON COLUMN lead_protection.policy_assignments.id IS 'Orders the decisions.';
COMMENT ON COLUMN lead_protection.policy_assignments.user_id IS 'The user; null: everybody who has none of their own.';
COMMENT ON COLUMN lead_protection.policy_assignments.policy_id IS 'The policy; null: the user gets the default again.';
COMMENT ON COLUMN lead_protection.policy_assignments.assigned_by IS 'The actor who decided it.';
COMMENT ON COLUMN lead_protection.policy_assignments.assigned_at IS 'When it was decided.';
COMMENT ON INDEX lead_protection.policy_assignments_user IS 'A user''s last decision.';
