CREATE OR REPLACE FUNCTION lead_protection.newest_policy(policy_name text)
RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    policy_id bigint;
BEGIN
    IF newest_policy.policy_name IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT p.id INTO policy_id
    FROM lead_protection.protection_policies AS p
    WHERE p.name = newest_policy.policy_name
    ORDER BY p.version DESC
    LIMIT 1;
    IF policy_id IS NULL THEN
        RAISE EXCEPTION 'there is no policy %', newest_policy.policy_name
            USING ERRCODE = 'LP019',
            DETAIL = 'protection_policies has no such name.',
            HINT = 'Make it with create_policy_version(), or let the expression give another name.';
    END IF;
    RETURN policy_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.newest_policy(text) IS
'The newest version of the policy of that name; null of null. Error: LP019. Internal.';
