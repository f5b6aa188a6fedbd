CREATE OR REPLACE FUNCTION lead_protection.send_due_reminders(as_of timestamptz, batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all batches, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    lead_ids bigint [];
    decided_at timestamptz;
    sent bigint;
BEGIN
    PERFORM lead_protection.require_job_arguments(send_due_reminders.as_of, send_due_reminders.batch_size);
    decided_at := coalesce(send_due_reminders.as_of, clock_timestamp());
    SELECT array_agg(due.lead_id) INTO lead_ids
    FROM (
        SELECT c.lead_id
        FROM lead_protection.lead_clocks AS c
        INNER JOIN lead_protection.leads AS l ON c.lead_id = l.id
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        WHERE
            -- the predicate of lead_clocks_to_remind
            c.closed_at IS NULL AND c.expired_at IS NULL
            AND (c.reminded_at IS NULL OR c.reminded_at < c.reminder_due_at)
            AND c.reminder_due_at <= decided_at
            AND s.state = 'REMINDER_DUE' AND NOT s.on_hold
        ORDER BY c.reminder_due_at, c.lead_id
        LIMIT send_due_reminders.batch_size
        FOR NO KEY UPDATE OF l SKIP LOCKED
    ) AS due;

    -- Decided under the locks, at an instant after the last change that was committed before them.
    decided_at := coalesce(send_due_reminders.as_of, clock_timestamp());

    WITH reminder AS (
        INSERT INTO lead_protection.lead_reminders AS r (
            lead_id, user_id, window_date, protection_expires_at, due_at, sent_at
        )
        SELECT c.lead_id, c.user_id, c.window_date, s.protection_expires_at, s.reminder_due_at, decided_at
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        WHERE c.lead_id = ANY(lead_ids) AND s.state = 'REMINDER_DUE' AND NOT s.on_hold
        ON CONFLICT DO NOTHING
        RETURNING r.*
    )
    INSERT INTO lead_protection.protection_log (
        lead_id, user_id, event_type, occurred_at,
        state_before, expires_before, state_after, expires_after, details
    )
    SELECT
        r.lead_id, r.user_id, 'lead.protection.reminder', r.sent_at,
        'REMINDER_DUE', r.protection_expires_at, 'GRACE', r.protection_expires_at,
        jsonb_build_object(
            'window_date', to_char(r.window_date, 'YYYY-MM-DD'),
            'reminder_due_at', lead_protection.instant_text(r.due_at)
        )
    FROM reminder AS r;
    GET DIAGNOSTICS sent = ROW_COUNT;
    RETURN sent;
END;
$$;

COMMENT ON FUNCTION lead_protection.send_due_reminders(timestamptz, integer) IS
'Sends reminders that are due at as_of, the longest due first, batch_size leads at most: ledger row, log row and event in one transaction. as_of null: at the instant at which the leads are locked. Leads locked by others are left to the next run. Returns how many it sent; repeated, it sends none twice: the ledger''s key sees to it. Errors: LP013, LP016. Internal: run_protection_pipeline() calls it.';
