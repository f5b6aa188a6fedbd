CREATE OR REPLACE FUNCTION lead_protection.send_due_reminders(lead_ids bigint[], as_of timestamptz)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for each batch: a plan for the tables as a session met them first, empty, may read an index through.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    locked bigint [];
    decided_at timestamptz;
    entries lead_protection.protection_log [];
    sent bigint;
    latencies interval [];
BEGIN
    locked := lead_protection.lock_free_leads(
        send_due_reminders.lead_ids, 'lead-protection-reminders', 'reminders'
    );

    -- Decided under the locks, at an instant after the last change that was committed before them.
    decided_at := coalesce(send_due_reminders.as_of, clock_timestamp());

    WITH reminder AS (
        INSERT INTO lead_protection.lead_reminders AS r (
            lead_id, user_id, window_date, protection_expires_at, due_at, fell_due_at, sent_at
        )
        -- Not waiting_reminders(): a plan for the session might search the list of all that wait for each batch.
        SELECT
            c.lead_id, c.user_id, c.window_date, s.protection_expires_at, s.reminder_due_at, w.waits_since, decided_at
        FROM lead_protection.lead_clocks AS c
        INNER JOIN lead_protection.leads AS l ON c.lead_id = l.id
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        CROSS JOIN LATERAL lead_protection.reminder_waits_since(
            c.lead_id, l.recorded_at, c.reminder_due_at, c.stops, decided_at
        ) AS w
        WHERE c.lead_id = ANY(locked) AND s.state = 'REMINDER_DUE' AND NOT s.on_hold
        ON CONFLICT DO NOTHING
        RETURNING r.*
    ),

    -- The same reminder once more: a new event, no new row in the ledger.
    repetition AS (
        UPDATE lead_protection.reminder_deliveries AS d
        SET retry_at = NULL, retried_at = decided_at
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        WHERE
            d.lead_id = ANY(locked) AND d.retry_at <= decided_at
            AND d.lead_id = c.lead_id AND d.user_id = c.user_id AND d.window_date = c.window_date
            AND s.state = 'GRACE' AND NOT s.on_hold
        RETURNING d.lead_id, d.user_id, d.window_date, s.protection_expires_at
    ),

    entry AS (
        SELECT array_agg(
            lead_protection.log_entry(
                m.lead_id, m.user_id, 'lead.protection.reminder', decided_at, NULL, NULL,
                m.state_before, m.protection_expires_at, 'GRACE', m.protection_expires_at,
                jsonb_build_object(
                    'window_date', to_char(m.window_date, 'YYYY-MM-DD'),
                    'reminder_due_at', lead_protection.instant_text(m.due_at),
                    'attempt', m.attempt
                )
            )
        ) AS entries
        FROM (
            SELECT r.lead_id, r.user_id, r.window_date, r.protection_expires_at, r.due_at, 'REMINDER_DUE', 1
            FROM reminder AS r
            UNION ALL
            SELECT
                p.lead_id, p.user_id, p.window_date, p.protection_expires_at, r.due_at, 'GRACE',
                -- Those before this one, whose row is still seen as it was: hence 2.
                (
                    SELECT 2 + count(d.retried_at)
                    FROM lead_protection.reminder_deliveries AS d
                    WHERE d.lead_id = p.lead_id AND d.user_id = p.user_id AND d.window_date = p.window_date
                )
            FROM repetition AS p
            INNER JOIN lead_protection.lead_reminders AS r
                ON p.lead_id = r.lead_id AND p.user_id = r.user_id AND p.window_date = r.window_date
        ) AS m (lead_id, user_id, window_date, protection_expires_at, due_at, state_before, attempt)
    )

    SELECT
        (SELECT e.entries FROM entry AS e),
        (SELECT array_agg(r.sent_at - r.fell_due_at) FROM reminder AS r)
    INTO entries, latencies;
    sent := lead_protection.write_log(entries);
    PERFORM lead_protection.count_metric('lead_reminder_sent_total', '{}', cardinality(latencies));
    PERFORM lead_protection.observe_seconds('lead_reminder_latency_seconds', latencies);
    RETURN sent;
END;
$$;

COMMENT ON FUNCTION lead_protection.send_due_reminders(bigint[], timestamptz) IS
'Sends the reminders of these leads that are due at as_of, ledger row, log row and event in one transaction, and '
'repeats, as a new event, those whose repetition is due. as_of null: at the instant at which the leads are locked. '
'Leads locked by others are left to the next run, and noted in passed_over_leads. Returns how many events it wrote; '
'repeated, it sends none twice: the ledger''s key sees to it. Internal: run_job_step() calls it and has checked '
'as_of.';
