-- The rule, first half: everything about a clock that does not depend on the time of looking.
-- LIMIT 1 keeps the planner from copying an expression into each place that uses it.
-- The linter cannot indent JOIN LATERAL (…), and does not see that a SELECT without FROM has one row.
-- noqa: disable=LT02,AM09
CREATE OR REPLACE FUNCTION lead_protection.derive_lead_clocks(as_of timestamptz DEFAULT 'infinity')
RETURNS SETOF lead_protection.lead_clocks
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        lead.id AS lead_id,
        lead.user_id,
        lead.policy_id,
        lead.created_at AS started_at,
        closing.closed_at,
        base.expires_at AS base_expires_at,
        hold.stops,
        runs.open_hold_from,
        runs.runs_from,
        expiry.expires_at AS protection_expires_at,
        reminder_window.window_date,
        (reminder_window.window_date - policy.grace_days + policy.reminder_time)
        AT TIME ZONE policy.time_zone AS reminder_due_at,
        reminder.reminded_at,
        reminder.reminded_window,
        standing.expired_at
    FROM lead_protection.leads AS lead
    INNER JOIN lead_protection.protection_policies AS policy ON lead.policy_id = policy.id
    CROSS JOIN LATERAL (
        SELECT lead_protection.base_expiry(lead.created_at, policy) AS expires_at
        LIMIT 1
    ) AS base
    CROSS JOIN LATERAL (
        SELECT CASE WHEN lead.closed_at <= as_of THEN lead.closed_at END AS closed_at
    ) AS closing
    CROSS JOIN LATERAL (
        SELECT
            coalesce(
                range_agg(tstzrange(h.start_at, h.end_at)) FILTER (WHERE h.end_at IS NOT NULL)
                * tstzmultirange(tstzrange(lead.created_at, NULL)),
                '{}'
            ) AS stops,
            min(greatest(h.start_at, lead.created_at)) FILTER (WHERE h.end_at IS NULL) AS open_from
        FROM (
            -- Closing a lead ends its clock, and with it an open hold.
            SELECT
                f.start_at,
                CASE
                    WHEN closing.closed_at IS NULL THEN f.end_at
                    ELSE coalesce(f.end_at, greatest(closing.closed_at, f.start_at))
                END AS end_at
            FROM lead_protection.lead_holds AS f
            WHERE f.lead_id = lead.id AND f.user_id = lead.user_id
        ) AS h
    ) AS hold
    CROSS JOIN LATERAL lead_protection.protection_expiry(base.expires_at, hold.stops) AS expiry
    CROSS JOIN LATERAL (
        SELECT
            -- An open hold that begins at the expiry or later will never count.
            CASE WHEN hold.open_from < expiry.expires_at THEN hold.open_from END AS open_hold_from,
            CASE
                WHEN hold.open_from < expiry.expires_at THEN 'infinity'
                -- Stops that begin at the expiry or later do not count; those that count end before it.
                ELSE greatest(lead.created_at, upper(hold.stops * tstzmultirange(tstzrange(NULL, expiry.expires_at))))
            END AS runs_from
    ) AS runs
    CROSS JOIN LATERAL (
        SELECT (expiry.expires_at AT TIME ZONE policy.time_zone)::date AS window_date
        LIMIT 1
    ) AS reminder_window
    CROSS JOIN LATERAL (
        SELECT
            max(r.sent_at) AS reminded_at,
            -- One that was taken back counts again when its window comes back: the ledger takes no second one.
            max(r.window_date) FILTER (
                WHERE r.reactivated_at IS NULL OR r.reactivated_at > as_of
                OR r.window_date = reminder_window.window_date
            ) AS reminded_window
        FROM lead_protection.lead_reminders AS r
        WHERE r.lead_id = lead.id AND r.user_id = lead.user_id AND r.sent_at <= as_of
    ) AS reminder
    CROSS JOIN LATERAL (
        SELECT max(x.protection_expires_at) AS expired_at
        FROM lead_protection.lead_expiries AS x
        WHERE
            x.lead_id = lead.id AND x.user_id = lead.user_id AND x.recorded_at <= as_of
            AND (x.reactivated_at IS NULL OR x.reactivated_at > as_of)
    ) AS standing;
END;

COMMENT ON FUNCTION lead_protection.derive_lead_clocks(timestamptz) IS
'The clock of every lead, derived from the facts: the rule. A closing, reminders and expiries after as_of are left out; infinity (the default) takes all that is known, which is what lead_clocks caches. Filter by lead_id: the filter reaches the tables. Add the time of looking with clock_at().';
