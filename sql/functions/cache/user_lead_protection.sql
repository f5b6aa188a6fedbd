-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
-- Four branches, so that the expiry of a running clock, and what is left of one that stands still, stay plain columns
-- and lists are index scans: clocks that run; clocks that an open hold stops and nothing else moves, by arithmetic in
-- place; the few others that stand still, by clock_at(); and those that wait for a notice. A list of those that run
-- (NOT on_hold) leaves out altogether those that stand still.
-- The branches are told apart outside the UNION ALL: the planner merges branches by an index's order only if they
-- carry no WHERE of their own. Where a branch is a join it has an order of its own: merged, it is sorted alone, and the
-- planner reckons with its rows and not with all of the table.
CREATE OR REPLACE FUNCTION lead_protection.user_lead_protection(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, policy_id bigint, created_at timestamptz, closed_at timestamptz,
    protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz,
    reminded_at timestamptz, lead_key text, time_left interval
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
        p.lead_key,
        p.time_left
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
            -- As time_left() has it.
            CASE
                WHEN c.closed_at <= user_lead_protection.as_of THEN NULL
                WHEN c.protection_expires_at <= user_lead_protection.as_of THEN INTERVAL '0'
                WHEN c.runs_from <= user_lead_protection.as_of
                    THEN c.protection_expires_at - user_lead_protection.as_of
                ELSE lead_protection.stopped_time_left(c, user_lead_protection.as_of)
            END AS time_left,
            NOT lead_protection.is_on_hold(c, user_lead_protection.as_of)
            AND NOT lead_protection.waits_for_notice(c, user_lead_protection.as_of) AS belongs_here
        FROM lead_protection.lead_clocks AS c
        UNION ALL
        (SELECT
            c.lead_id,
            c.user_id,
            c.policy_id,
            c.started_at,
            c.closed_at,
            e.protection_expires_at,
            lead_protection.protection_state(c, c.open_hold_from, user_lead_protection.as_of),
            true,
            NULL,
            c.reminded_at,
            c.lead_key,
            c.protection_expires_at - c.open_hold_from,
            -- As is_on_hold() has it of these, in words of which the planner can tell how many there are.
            lead_protection.is_plainly_held(c)
            AND (c.open_hold_from > user_lead_protection.as_of) IS NOT TRUE
            AND (c.closed_at <= user_lead_protection.as_of) IS NOT TRUE
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL (
            SELECT
                CASE
                    WHEN c.day_policy_id IS NULL
                        THEN lead_protection.plus_elapsed(
                            c.protection_expires_at, user_lead_protection.as_of - c.open_hold_from
                        )
                    ELSE lead_protection.recounted_expiry(c, user_lead_protection.as_of)
                END AS protection_expires_at
        ) AS e
        -- The order of lead_clocks_held, which a list by time_left takes over.
        ORDER BY c.protection_expires_at - c.open_hold_from)
        UNION ALL
        SELECT
            c.lead_id,
            c.user_id,
            c.policy_id,
            c.started_at,
            c.closed_at,
            e.protection_expires_at,
            -- The plain case among these, one planned hold, is arithmetic in place, too: see stopped_time_left().
            CASE
                WHEN c.open_hold_from IS NULL AND c.stops = tstzmultirange(range_merge(c.stops))
                    THEN lead_protection.protection_state(c, lower(c.stops), user_lead_protection.as_of)
                ELSE (SELECT s.state FROM lead_protection.clock_at(c, user_lead_protection.as_of) AS s)
            END,
            true,
            NULL,
            c.reminded_at,
            c.lead_key,
            CASE
                WHEN
                    c.open_hold_from IS NULL AND c.stops = tstzmultirange(range_merge(c.stops))
                    AND c.owed_notice_days IS NULL AND c.day_policy_id IS NULL
                    THEN c.protection_expires_at - c.runs_from
                ELSE lead_protection.stopped_time_left(c, user_lead_protection.as_of)
            END,
            NOT lead_protection.is_plainly_held(c)
            AND lead_protection.is_on_hold(c, user_lead_protection.as_of)
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL (
            SELECT
                CASE
                    -- A planned end is in the expiry.
                    WHEN c.open_hold_from IS NULL AND c.owed_notice_days IS NULL THEN c.protection_expires_at
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
            CASE
                WHEN c.runs_from <= user_lead_protection.as_of
                    THEN s.protection_expires_at - user_lead_protection.as_of
                ELSE lead_protection.stopped_time_left(c, user_lead_protection.as_of)
            END,
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
