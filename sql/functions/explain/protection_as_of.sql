-- The linter cannot indent JOIN LATERAL (…), and does not see that a primary key has one row.
-- noqa: disable=LT02,AM09
CREATE OR REPLACE FUNCTION lead_protection.protection_as_of(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, policy_id bigint, policy_name text, policy_version integer,
    created_at timestamptz, closed_at timestamptz, protection_expires_at timestamptz, state text, on_hold boolean,
    reminder_due_at timestamptz, reminded_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        c.lead_id,
        c.user_id,
        c.policy_id,
        p.name,
        p.version,
        c.started_at,
        c.closed_at,
        s.protection_expires_at,
        s.state,
        s.on_hold,
        s.reminder_due_at,
        c.reminded_at
    FROM lead_protection.derive_lead_clocks(protection_as_of.as_of) AS c
    -- Looked up for each lead: a join could be turned round, and derive every lead once for each policy.
    CROSS JOIN LATERAL (
        SELECT
            t.name,
            t.version
        FROM lead_protection.protection_policies AS t
        WHERE t.id = c.policy_id
        LIMIT 1
    ) AS p
    CROSS JOIN LATERAL lead_protection.clock_at(c, protection_as_of.as_of) AS s
    -- In the past, a lead that had not begun was not protected.
    WHERE
        (c.started_at <= protection_as_of.as_of OR protection_as_of.as_of >= now())
        AND lead_protection.is_sensible_instant(protection_as_of.as_of);
END;

COMMENT ON FUNCTION lead_protection.protection_as_of(timestamptz) IS
'Every lead at any instant of the years 1900 to 2999, past or future: for whom it was protected, under which policy '
'version, until when, in which state. Derived from the facts as they are known now, and not from the cache: a hold '
'entered or a start corrected later counts; what was shown at the time is in protection_log. For an instant in the '
'past, leads that began later are left out. The proof for v_user_lead_protection; for lists of live leads use that '
'view. Error: LP005 as_of outside those years.';
