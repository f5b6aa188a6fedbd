CREATE OR REPLACE FUNCTION lead_protection.require_known_policy(policy_id bigint)
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM lead_protection.protection_policies AS p WHERE p.id = require_known_policy.policy_id
    ) THEN
        RAISE EXCEPTION 'policy % is unknown', require_known_policy.policy_id
            USING ERRCODE = 'LP019',
            DETAIL = 'There is no such row in lead_protection.protection_policies.',
            HINT = 'Check the policy''s number; create_policy_version() makes a new one.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_known_policy(bigint) IS
'Refuses an unknown policy (LP019). Internal.';
