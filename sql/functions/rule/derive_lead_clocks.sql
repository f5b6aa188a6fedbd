-- The rule, first half: everything about a clock that does not depend on the time of looking.
-- LIMIT 1 keeps the planner from copying an expression into each place that uses it, and from turning the joins round:
-- led by the policies, it would derive every lead once for each of them.
-- A lead without a user has no terms, and whatever is counted from terms is null by itself.
-- The linter cannot indent JOIN LATERAL (…), and does not see that a SELECT without FROM has one row.
-- noqa: disable=LT02,AM09
CREATE OR REPLACE FUNCTION lead_protection.derive_lead_clocks(as_of timestamptz DEFAULT 'infinity')
RETURNS SETOF lead_protection.lead_clocks
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        present.id AS lead_id,
        lead.user_id,
        lead.policy_id,
        lead.created_at AS started_at,
        closing.closed_at,
        base.expires_at AS base_expires_at,
        hold.stops,
        runs.open_hold_from,
        runs.runs_from,
        noticed.expires_at AS protection_expires_at,
        reminder_window.window_date,
        reminder_window.due_at AS reminder_due_at,
        reminder.reminded_at,
        reminder.reminded_window,
        recorded.expired_at,
        activity.idle_from,
        base.idle_expires_at AS idle_base_expires_at,
        notice.noticed_at,
        notice.base_expires_at AS notice_base_expires_at,
        notice.owed_days AS owed_notice_days,
        CASE WHEN notice.owed_days IS NOT NULL THEN policy.time_zone END AS owed_notice_zone,
        present.lead_key,
        policy.day_policy_id
    FROM lead_protection.leads AS present
    LEFT JOIN LATERAL (
        SELECT
            h.lead_id,
            h.user_id,
            h.policy_id,
            h.created_at,
            h.closed_at
        FROM lead_protection.lead_history AS h
        WHERE
            h.lead_id = present.id AND h.valid_until > derive_lead_clocks.as_of
            -- Nothing is valid for longer. Said as a constant, it takes the history out of the plan.
            AND derive_lead_clocks.as_of < 'infinity'
        ORDER BY h.valid_until
        LIMIT 1
    ) AS past ON true
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN past.lead_id IS NULL THEN present.user_id ELSE past.user_id END AS user_id,
            coalesce(past.policy_id, present.policy_id) AS policy_id,
            coalesce(past.created_at, present.created_at) AS created_at,
            CASE WHEN past.lead_id IS NULL THEN present.closed_at ELSE past.closed_at END AS closed_at
    ) AS lead
    LEFT JOIN LATERAL (
        SELECT
            p.rule,
            p.base_months,
            p.extension_days,
            p.grace_days,
            p.time_zone,
            p.period_end,
            p.reminder_time,
            p.remind_on,
            p.calendar_id,
            p.notice_required,
            p.notice_counts_from,
            CASE WHEN p.period_end <> 'instant' OR p.hold_unit <> 'elapsed' THEN p.id END AS day_policy_id
        FROM lead_protection.protection_policies AS p
        WHERE p.id = lead.policy_id AND lead.user_id IS NOT NULL
        LIMIT 1
    ) AS policy ON true
    CROSS JOIN LATERAL (
        SELECT CASE WHEN lead.closed_at <= derive_lead_clocks.as_of THEN lead.closed_at END AS closed_at
    ) AS closing
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN policy.rule = 'parallel'
                THEN coalesce(
                    (
                        SELECT max(a.occurred_at)
                        FROM lead_protection.lead_activities AS a
                        INNER JOIN lead_protection.activity_kinds AS k ON a.kind = k.kind
                        WHERE
                            a.lead_id = present.id AND a.user_id = lead.user_id AND a.deleted_at IS NULL
                            AND a.occurred_at >= lead.created_at
                            AND a.occurred_at <= least(derive_lead_clocks.as_of, closing.closed_at)
                            AND k.qualifies
                    ),
                    lead.created_at
                )
            END AS idle_from
        LIMIT 1
    ) AS activity
    CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(x.days), 0)::integer AS days,
            -- A qualified activity restarts the idle clock, and leaves behind what was granted before.
            coalesce(sum(x.days) FILTER (WHERE x.granted_at >= activity.idle_from), 0)::integer AS idle_days
        FROM lead_protection.lead_extensions AS x
        WHERE
            x.lead_id = present.id AND x.user_id = lead.user_id
            AND x.granted_at >= lead.created_at AND x.granted_at <= least(derive_lead_clocks.as_of, closing.closed_at)
    ) AS extension
    CROSS JOIN LATERAL (
        SELECT
            lead_protection.calendar_expiry(
                lead.created_at,
                policy.time_zone,
                policy.base_months,
                CASE policy.rule WHEN 'sequential' THEN policy.extension_days + policy.grace_days ELSE 0 END
                + extension.days
            ) AS expires_at,
            lead_protection.calendar_expiry(
                activity.idle_from, policy.time_zone, 0, policy.extension_days + policy.grace_days + extension.idle_days
            ) AS idle_expires_at
        LIMIT 1
    ) AS base
    CROSS JOIN LATERAL lead_protection.hold_stops(present.id, lead.user_id, lead.created_at, closing.closed_at) AS hold
    CROSS JOIN LATERAL (
        SELECT
            lead_protection.rule_expiry(
                base.expires_at, activity.idle_from, base.idle_expires_at, hold.stops, policy.day_policy_id
            ) AS expires_at
        LIMIT 1
    ) AS expiry
    CROSS JOIN LATERAL lead_protection.reminder_window(
        expiry.expires_at, policy.time_zone, policy.period_end, policy.grace_days, policy.reminder_time,
        policy.remind_on, policy.calendar_id
    ) AS reminder_window
    CROSS JOIN LATERAL (
        SELECT
            max(r.sent_at) AS reminded_at,
            -- The present window's own comes first, even if it was taken back: the ledger takes no second one.
            coalesce(
                max(r.window_date) FILTER (WHERE r.window_date = reminder_window.window_date),
                max(r.window_date) FILTER (
                    WHERE r.reactivated_at IS NULL OR r.reactivated_at > derive_lead_clocks.as_of
                )
            ) AS reminded_window,
            min(
                CASE
                    -- What another system sent before is taken for received: nobody reports on it any more.
                    WHEN policy.notice_counts_from = 'sent' OR r.adopted THEN r.sent_at
                    ELSE lead_protection.notice_received_at(r, lead.policy_id, derive_lead_clocks.as_of)
                END
            ) FILTER (
                WHERE r.sent_at >= reminder_window.due_at OR r.window_date = reminder_window.window_date
            ) AS received_at
        FROM lead_protection.lead_reminders AS r
        WHERE
            r.lead_id = present.id AND r.user_id = lead.user_id
            -- No condition for an index: a plan made while there were no reminders would read all of them by it.
            AND (r.sent_at <= derive_lead_clocks.as_of) IS TRUE
            -- Those of an earlier protection of the same user do not count, unless the ledger takes no second one.
            AND (r.sent_at >= lead.created_at OR r.window_date = reminder_window.window_date)
    ) AS reminder
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN policy.notice_required THEN reminder.received_at END AS noticed_at,
            CASE WHEN policy.notice_required
                THEN lead_protection.calendar_expiry(reminder.received_at, policy.time_zone, 0, policy.grace_days)
            END AS base_expires_at,
            CASE WHEN policy.notice_required AND reminder.received_at IS NULL THEN policy.grace_days END AS owed_days
        LIMIT 1
    ) AS notice
    CROSS JOIN LATERAL (
        SELECT
            lead_protection.noticed_expiry(
                expiry.expires_at, notice.noticed_at, notice.base_expires_at, hold.stops, policy.day_policy_id
            ) AS expires_at
        LIMIT 1
    ) AS noticed
    CROSS JOIN LATERAL lead_protection.running_clock(
        lead.created_at, hold.stops, hold.open_from, noticed.expires_at, notice.owed_days
    ) AS runs
    CROSS JOIN LATERAL (
        SELECT max(x.protection_expires_at) AS expired_at
        FROM lead_protection.lead_expiries AS x
        WHERE
            x.lead_id = present.id AND x.user_id = lead.user_id AND x.recorded_at <= derive_lead_clocks.as_of
            AND (x.reactivated_at IS NULL OR x.reactivated_at > derive_lead_clocks.as_of)
    ) AS recorded;
END;

COMMENT ON FUNCTION lead_protection.derive_lead_clocks(timestamptz) IS
'The clock of every lead, derived from the facts: the rule. The lead as it was at as_of (see lead_history), with the '
'activities, extensions, closing, reminders and expiries until then; infinity (the default) takes all that is known, '
'which is what lead_clocks caches. A lead without a user has no clock: its expiry and all that hangs on it are null. '
'Filter by lead_id: the filter reaches the tables. Add the time of looking with clock_at().';
