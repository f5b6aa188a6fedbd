CREATE OR REPLACE FUNCTION lead_protection.derive_lead_protection(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, policy_id bigint, created_at timestamptz, closed_at timestamptz,
    protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz,
    reminded_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        c.lead_id,
        c.user_id,
        c.policy_id,
        c.started_at,
        c.closed_at,
        s.protection_expires_at,
        s.state,
        s.on_hold,
        s.reminder_due_at,
        c.reminded_at
    FROM lead_protection.derive_lead_clocks(derive_lead_protection.as_of) AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, derive_lead_protection.as_of) AS s
    -- In the past, a lead that had not begun was not protected.
    WHERE c.started_at <= derive_lead_protection.as_of OR derive_lead_protection.as_of >= now();
END;

COMMENT ON FUNCTION lead_protection.derive_lead_protection(timestamptz) IS
'v_user_lead_protection at any instant, past or future, derived from the facts as they are known now and not from the cache. For an instant in the past, leads that began later are left out. The proof for the view; for lists of live leads use the view.';
