CREATE OR REPLACE FUNCTION lead_protection.policy_of_user(user_id bigint)
RETURNS bigint
LANGUAGE sql STABLE
RETURN coalesce(
    (
        SELECT a.policy_id
        FROM lead_protection.policy_assignments AS a
        WHERE a.user_id = policy_of_user.user_id
        ORDER BY a.id DESC
        LIMIT 1
    ),
    (
        SELECT p.id
        FROM lead_protection.protection_policies AS p
        WHERE p.is_default
    )
);

COMMENT ON FUNCTION lead_protection.policy_of_user(bigint) IS
'The policy that a new lead of the user gets: the last one assigned to them, or else the default; null if there is '
'neither. Internal.';
