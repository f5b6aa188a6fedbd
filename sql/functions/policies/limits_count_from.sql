-- To give a lead to somebody else and back must not renew what the policy limits.
CREATE OR REPLACE FUNCTION lead_protection.limits_count_from(
    lead_id bigint, user_id bigint, started_at timestamptz, policy_id bigint
)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN least(
    limits_count_from.started_at,
    (
        SELECT min(b.created_at)
        FROM lead_protection.lead_history AS b
        INNER JOIN lead_protection.protection_policies AS p ON p.id = limits_count_from.policy_id
        WHERE
            b.lead_id = limits_count_from.lead_id AND b.user_id = limits_count_from.user_id
            AND b.created_at >= (
                limits_count_from.started_at AT TIME ZONE p.time_zone - make_interval(months => p.base_months)
            ) AT TIME ZONE p.time_zone
    )
);

COMMENT ON FUNCTION lead_protection.limits_count_from(bigint, bigint, timestamptz, bigint) IS
'From when on holds and extensions of a lead and user count towards the limits of the policy: the start of the first '
'of their protections that began no longer than the policy''s base period before the present one, which started at '
'started_at. Internal.';
