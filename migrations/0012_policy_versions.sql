-- Policies become versioned, and say what the parallel rule, the notice and an extension on request need.
-- depends: 0002_protection_policies

ALTER TABLE lead_protection.protection_policies
ADD COLUMN version integer NOT NULL DEFAULT 1,
ADD COLUMN notice_required boolean NOT NULL DEFAULT false,
ADD COLUMN extension_limit_days integer NOT NULL DEFAULT 60,
ADD COLUMN created_by bigint,
DROP CONSTRAINT protection_policies_name_unique,
ADD CONSTRAINT protection_policies_version_unique UNIQUE (name, version),
ADD CONSTRAINT protection_policies_version_positive CHECK (version > 0),
ADD CONSTRAINT protection_policies_extension_limit_sensible CHECK (extension_limit_days BETWEEN 0 AND 36500),
DROP CONSTRAINT protection_policies_rule_known,
ADD CONSTRAINT protection_policies_rule_known CHECK (rule IN ('sequential', 'parallel'));

COMMENT ON TABLE lead_protection.protection_policies IS
'The terms of a protection, a row for each version. The terms of a row never change (LP011): a running clock must not move because a contract was renegotiated. Make a new version with create_policy_version(); running clocks keep theirs unless they are moved with move_leads_to_policy().';
COMMENT ON COLUMN lead_protection.protection_policies.name IS 'What people call it; the same for all its versions.';
COMMENT ON COLUMN lead_protection.protection_policies.version IS 'Counts from 1 within the name.';
COMMENT ON COLUMN lead_protection.protection_policies.is_default IS 'The policy of a lead that names none, and whose user has none of their own; one at most. Set it with set_default_policy().';
COMMENT ON COLUMN lead_protection.protection_policies.rule IS 'How the terms combine. sequential: base, then extension, then grace. parallel: the earlier of base, and extension and grace counted from the last qualified activity.';
COMMENT ON COLUMN lead_protection.protection_policies.extension_days IS 'Days added after the months; under the parallel rule: days without a qualified activity.';
COMMENT ON COLUMN lead_protection.protection_policies.notice_required IS 'True: no protection ends unless the user was reminded at least grace_days before. If the reminder went out late, the expiry waits.';
COMMENT ON COLUMN lead_protection.protection_policies.extension_limit_days IS 'Most days by which extend_lead() may extend one protection, all its extensions together; 0: none.';
COMMENT ON COLUMN lead_protection.protection_policies.created_by IS 'The actor who made this version; null: it came with the package, or as a row.';
