-- Two branches, so that the expiry of a running clock stays a plain indexed column: lists are index scans.
-- Only the few clocks that stand still, or will, are computed.
CREATE OR REPLACE FUNCTION lead_protection.user_lead_protection(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, policy_id bigint, created_at timestamptz, closed_at timestamptz,
    protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz,
    reminded_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT
    c.lead_id, c.user_id, c.policy_id, c.started_at, c.closed_at,
    c.protection_expires_at,
    lead_protection.protection_state(c, as_of, as_of) AS state,
    false AS on_hold,
    CASE WHEN c.closed_at <= as_of THEN NULL ELSE c.reminder_due_at END AS reminder_due_at,
    c.reminded_at
FROM lead_protection.lead_clocks AS c
WHERE c.runs_from <= as_of
UNION ALL
SELECT
    c.lead_id, c.user_id, c.policy_id, c.started_at, c.closed_at,
    s.protection_expires_at, s.state, s.on_hold, s.reminder_due_at,
    c.reminded_at
FROM lead_protection.lead_clocks AS c
CROSS JOIN LATERAL lead_protection.clock_at(c, as_of) AS s
WHERE c.runs_from > as_of
$$;

COMMENT ON FUNCTION lead_protection.user_lead_protection(timestamptz) IS
'The body of v_user_lead_protection: reads the cache, at as_of. For now and later: the cache forgets when a reminder was sent before the last; for the past use derive_lead_protection().';
