-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE VIEW lead_protection.v_default_policy_change AS
SELECT
    now_it_is.id AS policy_id,
    format('%s, version %s', now_it_is.name, now_it_is.version) AS policy,
    format('%s, version %s', was.name, was.version) AS policy_before,
    last_change.assigned_by,
    last_change.assigned_at
FROM lead_protection.protection_policies AS now_it_is
CROSS JOIN LATERAL (
    SELECT
        a.assigned_by,
        a.assigned_at
    FROM lead_protection.policy_assignments AS a
    WHERE a.user_id IS NULL AND a.assigned_at > now() - INTERVAL '1 day'
    ORDER BY a.id DESC
    LIMIT 1
) AS last_change
INNER JOIN lead_protection.protection_policies AS was
    ON was.id = coalesce(
        (
            SELECT a.policy_id
            FROM lead_protection.policy_assignments AS a
            WHERE a.user_id IS NULL AND a.assigned_at <= now() - INTERVAL '1 day'
            ORDER BY a.id DESC
            LIMIT 1
        ),
        -- Nobody had ever changed it: it was the one that the package brings.
        (SELECT min(q.id) FROM lead_protection.protection_policies AS q)
    )
WHERE now_it_is.is_default AND now_it_is.id <> was.id;

COMMENT ON VIEW lead_protection.v_default_policy_change IS
'One row if the default policy is another one than a day ago, else none. Internal: of health and the metrics.';
COMMENT ON COLUMN lead_protection.v_default_policy_change.policy_id IS 'The default now.';
COMMENT ON COLUMN lead_protection.v_default_policy_change.policy IS 'Its name and version.';
COMMENT ON COLUMN lead_protection.v_default_policy_change.policy_before IS 'Name and version of the one of a day ago.';
COMMENT ON COLUMN lead_protection.v_default_policy_change.assigned_by IS 'Who changed it last.';
COMMENT ON COLUMN lead_protection.v_default_policy_change.assigned_at IS 'When that was.';
