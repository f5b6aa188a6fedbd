-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
-- Three branches, so that the expiry of a running clock stays a plain indexed column and lists are index scans; only
-- the few clocks that stand still or wait for a notice are computed, and a list of those that run (NOT on_hold) leaves
-- those that stand still out altogether. Of these the plain case, one open hold, is arithmetic in place; clock_at() is
-- called for the others.
-- The branches are told apart outside the UNION ALL: the planner merges branches by an index's order only if they
-- carry no WHERE of their own.
CREATE OR REPLACE FUNCTION lead_protection.user_lead_protection(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, policy_id bigint, created_at timestamptz, closed_at timestamptz,
    protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz,
    reminded_at timestamptz, lead_key text
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        p.lead_id,
        p.user_id,
        p.policy_id,
        p.created_at,
        p.closed_at,
        p.protection_expires_at,
        p.state,
        p.on_hold,
        p.reminder_due_at,
        p.reminded_at,
        p.lead_key
    FROM (
        SELECT
            c.lead_id,
            c.user_id,
            c.policy_id,
            c.started_at AS created_at,
            c.closed_at,
            c.protection_expires_at,
            lead_protection.protection_state(c, user_lead_protection.as_of, user_lead_protection.as_of) AS state,
            false AS on_hold,
            CASE WHEN c.closed_at <= user_lead_protection.as_of THEN NULL ELSE c.reminder_due_at END AS reminder_due_at,
            c.reminded_at,
            c.lead_key,
            NOT lead_protection.is_on_hold(c, user_lead_protection.as_of)
            AND NOT lead_protection.waits_for_notice(c, user_lead_protection.as_of) AS belongs_here
        FROM lead_protection.lead_clocks AS c
        UNION ALL
        SELECT
            c.lead_id,
            c.user_id,
            c.policy_id,
            c.started_at,
            c.closed_at,
            e.protection_expires_at,
            CASE
                WHEN c.stops = '{}'
                    THEN lead_protection.protection_state(c, c.open_hold_from, user_lead_protection.as_of)
                ELSE (SELECT s.state FROM lead_protection.clock_at(c, user_lead_protection.as_of) AS s)
            END,
            true,
            NULL,
            c.reminded_at,
            c.lead_key,
            lead_protection.is_on_hold(c, user_lead_protection.as_of)
        FROM lead_protection.lead_clocks AS c
        -- Joined, not computed in place: pulled up into the UNION ALL it would have no order of its own to merge by.
        CROSS JOIN LATERAL (
            SELECT
                CASE
                    WHEN c.owed_notice_days IS NULL THEN lead_protection.pushed_expiry(c, user_lead_protection.as_of)
                    ELSE (
                        SELECT s.protection_expires_at
                        FROM lead_protection.clock_at(c, user_lead_protection.as_of) AS s
                    )
                END AS protection_expires_at
        ) AS e
        UNION ALL
        SELECT
            c.lead_id,
            c.user_id,
            c.policy_id,
            c.started_at,
            c.closed_at,
            s.protection_expires_at,
            lead_protection.protection_state(c, user_lead_protection.as_of, user_lead_protection.as_of),
            false,
            c.reminder_due_at,
            c.reminded_at,
            c.lead_key,
            lead_protection.waits_for_notice(c, user_lead_protection.as_of)
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL (
            SELECT
                lead_protection.awaited_expiry(c, c.protection_expires_at, user_lead_protection.as_of)
                AS protection_expires_at
        ) AS s
    ) AS p
    WHERE p.belongs_here;
END;

COMMENT ON FUNCTION lead_protection.user_lead_protection(timestamptz) IS
'The body of v_user_lead_protection: reads the cache, at as_of. For now and later: the cache knows the last reminder '
'and the closing as if they had always been; for the past use protection_as_of().';
