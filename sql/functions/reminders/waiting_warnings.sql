-- The linter cannot indent JOIN LATERAL (…), and does not see that a SELECT without FROM has one row.
-- noqa: disable=LT02,AM09
-- The one place that says which early warnings wait. It begins with the terms: where no policy has a warning, nothing
-- else is read, and where one has, only the clocks that end about that many days from now.
CREATE OR REPLACE FUNCTION lead_protection.waiting_warnings(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, window_date date, days_before integer, audience text, step integer,
    protection_expires_at timestamptz, state text, warning_due_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        c.lead_id,
        c.user_id,
        d.window_date,
        w.days_before,
        w.audience,
        w.step,
        c.protection_expires_at,
        lead_protection.protection_state(c, waiting_warnings.as_of, waiting_warnings.as_of) AS state,
        d.due_at
    FROM lead_protection.policy_warnings AS w
    INNER JOIN lead_protection.protection_policies AS p ON w.policy_id = p.id
    -- What takes the place of this one: the next warning for the same audience, or the reminder.
    CROSS JOIN LATERAL (
        SELECT
            greatest(
                max(n.days_before), CASE WHEN w.days_before > p.grace_days THEN p.grace_days ELSE 0 END
            ) AS days_before
        FROM lead_protection.policy_warnings AS n
        WHERE n.policy_id = w.policy_id AND n.audience = w.audience AND n.days_before < w.days_before
    ) AS next
    INNER JOIN lead_protection.lead_clocks AS c
        ON
            w.policy_id = c.policy_id
            -- the predicate of lead_clocks_to_expire
            AND c.closed_at IS NULL AND c.expired_at IS NULL
            -- Roughly, for that index: no day has 30 hours.
            AND c.protection_expires_at > waiting_warnings.as_of + make_interval(hours => 20 * (next.days_before - 2))
            AND c.protection_expires_at < waiting_warnings.as_of + make_interval(hours => 24 * (w.days_before + 3))
    CROSS JOIN LATERAL (
        SELECT
            x.window_date,
            (x.window_date - w.days_before + p.reminder_time) AT TIME ZONE p.time_zone AS due_at,
            (x.window_date - next.days_before + p.reminder_time) AT TIME ZONE p.time_zone AS next_due_at
        FROM (
            -- The reminder's window; or the day of the expiry, where a late notice has put that off.
            SELECT
                greatest(
                    c.window_date,
                    ((c.protection_expires_at - INTERVAL '1 microsecond') AT TIME ZONE p.time_zone)::date
                ) AS window_date
        ) AS x
        LIMIT 1
    ) AS d
    WHERE
        d.due_at <= waiting_warnings.as_of
        AND (next.days_before = 0 OR d.next_due_at > waiting_warnings.as_of)
        AND (w.days_before <= p.grace_days OR c.reminder_due_at > waiting_warnings.as_of)
        -- Sent for this window; or since it is due, for another one.
        AND NOT EXISTS (
            SELECT
            FROM lead_protection.lead_warnings AS l
            WHERE
                l.lead_id = c.lead_id AND l.user_id = c.user_id
                AND l.days_before = w.days_before AND l.audience = w.audience
                AND (l.window_date = d.window_date OR (l.sent_at >= d.due_at AND l.sent_at >= c.started_at))
        )
        -- It fell due under other terms, or before the pipeline had anything to do with the lead.
        AND NOT EXISTS (
            SELECT
            FROM lead_protection.lead_history AS h
            WHERE
                h.lead_id = c.lead_id AND h.user_id = c.user_id AND h.policy_id <> c.policy_id
                AND h.valid_until > d.due_at
        )
        AND NOT EXISTS (
            SELECT
            FROM lead_protection.adopted_leads AS l
            INNER JOIN lead_protection.adoptions AS a ON l.adoption_id = a.id
            WHERE l.lead_id = c.lead_id AND a.switched_on_at > d.due_at
        )
        -- While the reminder waits, it goes first; and while a notice is owed after that, the end is not known. What is
        -- left shows the expiry that is stored: see clock_at().
        AND NOT lead_protection.is_on_hold(c, waiting_warnings.as_of)
        AND CASE lead_protection.protection_state(c, waiting_warnings.as_of, waiting_warnings.as_of)
            WHEN 'PROTECTED' THEN true
            WHEN 'GRACE' THEN c.owed_notice_days IS NULL
            ELSE false
        END;
END;

COMMENT ON FUNCTION lead_protection.waiting_warnings(timestamptz) IS
'The early warnings that are due at as_of and not sent. warning_due_at: the reminder time of the policy, days_before '
'calendar days before window_date, the window. Of several that are due for one lead and audience the last one alone; '
'none from before the reminder once that is due, none while a reminder or a notice waits or the clock stands still, '
'none that fell due under another policy or before the lead''s adopted table was switched on. Instants are '
'timestamptz, window_date is a day of the policy''s time zone. Changes nothing, works on a standby.';
