-- Asked once a run: the pace is that of a run, not of a transaction.
CREATE OR REPLACE FUNCTION lead_protection.reminders_to_send(as_of timestamptz)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- The plan must not be one for the empty tables that the statistics may speak of.
SET enable_seqscan = off
AS $$
DECLARE
    lead_ids bigint [];
BEGIN
    WITH waiting AS (
        SELECT w.lead_id, w.user_id, w.reminder_due_at AS due_at
        FROM lead_protection.waiting_reminders(reminders_to_send.as_of) AS w
        UNION ALL
        SELECT d.lead_id, d.user_id, d.retry_at
        FROM lead_protection.reminder_deliveries AS d
        INNER JOIN lead_protection.lead_clocks AS c
            ON d.lead_id = c.lead_id AND d.user_id = c.user_id AND d.window_date = c.window_date
        CROSS JOIN LATERAL lead_protection.clock_at(c, reminders_to_send.as_of) AS s
        WHERE d.retry_at <= reminders_to_send.as_of AND s.state = 'GRACE' AND NOT s.on_hold
    ),

    ranked AS (
        SELECT
            w.*,
            row_number() OVER (PARTITION BY w.user_id ORDER BY w.due_at, w.lead_id) AS nth_of_user
        FROM waiting AS w
    )

    SELECT array_agg(p.lead_id ORDER BY p.due_at, p.lead_id) INTO lead_ids
    FROM (
        SELECT r.lead_id, r.due_at
        FROM ranked AS r
        CROSS JOIN lead_protection.settings AS t
        WHERE t.reminders_per_user IS NULL OR r.nth_of_user <= t.reminders_per_user
        ORDER BY r.due_at, r.lead_id
        LIMIT (SELECT t.reminders_per_run FROM lead_protection.settings AS t)
    ) AS p;
    RETURN coalesce(lead_ids, '{}');
END;
$$;

COMMENT ON FUNCTION lead_protection.reminders_to_send(timestamptz) IS
'The leads whose reminder is due at as_of, or is to be repeated because it did not arrive, the longest due first, as '
'many as settings allow for one run and for each user. Internal: run_job_step() calls it.';
