-- A function, so that a query of v_metrics for something else does not plan this.
CREATE OR REPLACE FUNCTION lead_protection.oldest_reminder_due_at()
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET enable_seqscan = off
AS $$
SELECT w.reminder_due_at
FROM lead_protection.lead_clocks AS w
INNER JOIN lead_protection.lead_clocks AS c ON w.lead_id = c.lead_id
CROSS JOIN LATERAL lead_protection.clock_at(c, now()) AS s
WHERE
    -- the predicate of lead_clocks_to_remind, and what that index can tell of holds without the row
    w.closed_at IS NULL AND w.expired_at IS NULL
    AND (w.reminded_at IS NULL OR w.reminded_at < w.reminder_due_at)
    AND w.reminder_due_at <= now()
    AND (w.open_hold_from IS NULL OR w.open_hold_from > now())
    AND s.state = 'REMINDER_DUE' AND NOT s.on_hold
ORDER BY w.reminder_due_at, w.lead_id
LIMIT 1
$$;

COMMENT ON FUNCTION lead_protection.oldest_reminder_due_at() IS
'When the oldest reminder fell due, by the rule, that is due now, not sent and not on hold; null: there is none. An '
'index scan that passes over leads on hold without reading them. Changes nothing, works on a standby.';
