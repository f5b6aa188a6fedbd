CREATE OR REPLACE FUNCTION lead_protection.set_default_policy(policy_id bigint, actor_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object('policy_id', set_default_policy.policy_id, 'actor_id', set_default_policy.actor_id)
    );
    PERFORM lead_protection.require_known_policy(set_default_policy.policy_id);

    -- One switch at a time. Locks of rows would not do: the row that is the default after the wait may be another one.
    -- This mode excludes itself and lets policies be made, so that two who make one and then switch do not deadlock.
    LOCK TABLE lead_protection.protection_policies IN SHARE UPDATE EXCLUSIVE MODE;
    IF EXISTS (
        SELECT FROM lead_protection.protection_policies AS p
        WHERE p.is_default AND p.id = set_default_policy.policy_id
    ) THEN
        RETURN false;
    END IF;

    -- Two statements: the index that allows one default looks at each row.
    UPDATE lead_protection.protection_policies AS p SET is_default = false WHERE p.is_default;
    UPDATE lead_protection.protection_policies AS p SET is_default = true WHERE p.id = set_default_policy.policy_id;
    INSERT INTO lead_protection.policy_assignments (policy_id, assigned_by)
    VALUES (set_default_policy.policy_id, set_default_policy.actor_id);
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lead_protection.set_default_policy(bigint, bigint) IS
'Makes a policy the default: that of new leads of users who have none of their own. Running clocks keep theirs. '
'actor_id: who decides it. Recorded in policy_assignments, with user_id null.
Returns true. Repeated, when it is the default already: false, and nothing is written.
Errors: LP001 null argument, LP019 unknown policy.';
