-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
-- The one place that says which reminders wait, and since when.
CREATE OR REPLACE FUNCTION lead_protection.waiting_reminders(as_of timestamptz DEFAULT now())
RETURNS TABLE (
    lead_id bigint, user_id bigint, window_date date, protection_expires_at timestamptz, reminder_due_at timestamptz,
    waits_since timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        c.lead_id,
        c.user_id,
        c.window_date,
        s.protection_expires_at,
        i.reminder_due_at,
        w.waits_since
    -- Twice: what lead_clocks_to_remind says by itself, so that leads on hold, which may stand in front of all others
    -- for long, are passed over without a look at their rows; and the rows of those that are left. PostgreSQL 18 makes
    -- one look of the two: right, and dearer only behind many leads on hold.
    FROM lead_protection.lead_clocks AS i
    INNER JOIN lead_protection.lead_clocks AS c ON i.lead_id = c.lead_id
    CROSS JOIN LATERAL lead_protection.clock_at(c, waiting_reminders.as_of) AS s
    -- Outer, so that it falls away where nobody asks for waits_since.
    LEFT JOIN lead_protection.leads AS l ON c.lead_id = l.id
    CROSS JOIN LATERAL lead_protection.reminder_waits_since(
        c.lead_id, l.recorded_at, c.reminder_due_at, c.stops, waiting_reminders.as_of
    ) AS w
    WHERE
        -- the predicate of lead_clocks_to_remind
        i.closed_at IS NULL AND i.expired_at IS NULL
        AND (i.reminded_at IS NULL OR i.reminded_at < i.reminder_due_at)
        AND i.reminder_due_at <= waiting_reminders.as_of
        AND (i.open_hold_from IS NULL OR i.open_hold_from > waiting_reminders.as_of)
        AND NOT lead_protection.is_on_hold(c, waiting_reminders.as_of)
        -- REMINDER_DUE, said by the other two that can be: the planner takes "is not" for many and "is" for few, and
        -- would sort them all where the first ones in the order of the index are wanted.
        AND lead_protection.protection_state(c, waiting_reminders.as_of, waiting_reminders.as_of)
        NOT IN ('GRACE', 'EXPIRED');
END;

COMMENT ON FUNCTION lead_protection.waiting_reminders(timestamptz) IS
'The reminders that are due at as_of and not sent, those on hold left out. reminder_due_at: when it fell due by the '
'rule; waits_since: since when it could have been sent, which becomes fell_due_at in the ledger. Ordered by '
'reminder_due_at, lead_id it is an index scan: LIMIT bounds what is read. Changes nothing, works on a standby.';
