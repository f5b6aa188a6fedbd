-- Asked once a run: the pace is that of a run, not of a transaction. Chosen under the lock: a lead that somebody holds
-- must not take the place of one that could be reminded. Early warnings keep the same pace, each kind by itself.
CREATE OR REPLACE FUNCTION lead_protection.reminders_to_send(as_of timestamptz, step text DEFAULT 'reminders')
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- The plan must not be one for the empty tables that the statistics may speak of.
SET enable_seqscan = off
AS $$
DECLARE
    decided_at CONSTANT timestamptz := coalesce(reminders_to_send.as_of, clock_timestamp());
    chosen bigint [];
    locked bigint [] := '{}'::bigint [];
    passed_over bigint [] := '{}'::bigint [];
BEGIN
    -- Each time with those left out that were found locked; more than a few times only where nearly all are.
    FOR round IN 1..10 LOOP
        WITH waiting AS (
            SELECT w.lead_id, w.user_id, w.reminder_due_at AS due_at
            FROM lead_protection.waiting_reminders(decided_at) AS w
            WHERE reminders_to_send.step = 'reminders'
            UNION ALL
            SELECT d.lead_id, d.user_id, d.retry_at
            FROM lead_protection.reminder_deliveries AS d
            INNER JOIN lead_protection.lead_clocks AS c
                ON d.lead_id = c.lead_id AND d.user_id = c.user_id AND d.window_date = c.window_date
            CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
            WHERE
                reminders_to_send.step = 'reminders'
                AND d.retry_at <= decided_at AND s.state = 'GRACE' AND NOT s.on_hold
            UNION ALL
            SELECT w.lead_id, w.user_id, min(w.warning_due_at)
            FROM lead_protection.waiting_warnings(decided_at) AS w
            WHERE reminders_to_send.step = 'warnings'
            GROUP BY w.lead_id, w.user_id
        ),

        ranked AS (
            SELECT
                w.*,
                row_number() OVER (PARTITION BY w.user_id ORDER BY w.due_at, w.lead_id) AS nth_of_user
            FROM waiting AS w
            WHERE w.lead_id <> ALL(passed_over)
        )

        SELECT array_agg(p.lead_id ORDER BY p.due_at, p.lead_id) INTO chosen
        FROM (
            SELECT r.lead_id, r.due_at
            FROM ranked AS r
            CROSS JOIN lead_protection.settings AS t
            WHERE t.reminders_per_user IS NULL OR r.nth_of_user <= t.reminders_per_user
            ORDER BY r.due_at, r.lead_id
            LIMIT (SELECT t.reminders_per_run FROM lead_protection.settings AS t)
        ) AS p;
        locked := lead_protection.lock_free_leads(chosen, 'lead-protection-reminders', reminders_to_send.step);
        EXIT WHEN NOT EXISTS (SELECT FROM unnest(chosen) AS c (lead_id) WHERE c.lead_id <> ALL(locked));
        passed_over := passed_over || chosen;
        passed_over := ARRAY(SELECT p.lead_id FROM unnest(passed_over) AS p (lead_id) WHERE p.lead_id <> ALL(locked));
    END LOOP;
    RETURN ARRAY(
        SELECT c.lead_id
        FROM unnest(chosen) WITH ORDINALITY AS c (lead_id, place)
        WHERE c.lead_id = ANY(locked)
        ORDER BY c.place
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.reminders_to_send(timestamptz, text) IS
'Locks and returns the leads whose reminder is due at as_of (null: now), or is to be repeated because it did not '
'arrive, or, where step is warnings, those with an early warning that waits; the longest due first, as many as '
'settings allow for one run and for each user. Those that another session holds locked are noted in passed_over_leads '
'and take nobody''s place. Internal: run_job_step() calls it.';
