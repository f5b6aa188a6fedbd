CREATE OR REPLACE FUNCTION lead_protection.send_due_warnings(lead_ids bigint[], as_of timestamptz)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for each batch: a plan for the tables as a session met them first, empty, may read an index through.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    locked bigint [];
    decided_at timestamptz;
    sent bigint;
BEGIN
    locked := lead_protection.lock_free_leads(
        send_due_warnings.lead_ids, 'lead-protection-reminders', 'warnings'
    );

    -- Decided under the locks, at an instant after the last change that was committed before them.
    decided_at := coalesce(send_due_warnings.as_of, clock_timestamp());

    WITH waiting AS MATERIALIZED (
        SELECT w.*
        FROM lead_protection.waiting_warnings(decided_at) AS w
        WHERE w.lead_id = ANY(locked)
    ),

    warning AS (
        INSERT INTO lead_protection.lead_warnings AS l (
            lead_id, user_id, window_date, days_before, audience, step, protection_expires_at, due_at, sent_at
        )
        SELECT
            w.lead_id, w.user_id, w.window_date, w.days_before, w.audience, w.step, w.protection_expires_at,
            w.warning_due_at, decided_at
        FROM waiting AS w
        ON CONFLICT DO NOTHING
        RETURNING l.lead_id, l.days_before, l.audience
    )

    INSERT INTO lead_protection.protection_log (
        lead_id, user_id, event_type, occurred_at,
        state_before, expires_before, state_after, expires_after, details
    )
    SELECT
        w.lead_id, w.user_id, 'lead.protection.warning', decided_at,
        w.state, w.protection_expires_at, w.state, w.protection_expires_at,
        jsonb_build_object(
            'window_date', to_char(w.window_date, 'YYYY-MM-DD'),
            'warning_due_at', lead_protection.instant_text(w.warning_due_at),
            'step', w.step,
            'days_before', w.days_before,
            'audience', w.audience
        )
    FROM waiting AS w
    INNER JOIN warning AS l ON w.lead_id = l.lead_id AND w.days_before = l.days_before AND w.audience = l.audience;
    GET DIAGNOSTICS sent = ROW_COUNT;
    PERFORM lead_protection.count_metric('lead_warning_sent_total', '{}', sent);
    RETURN sent;
END;
$$;

COMMENT ON FUNCTION lead_protection.send_due_warnings(bigint[], timestamptz) IS
'Sends the early warnings of these leads that wait at as_of, see waiting_warnings(): ledger row, log row and event in '
'one transaction. as_of null: at the instant at which the leads are locked. Leads locked by others are left to the '
'next run, and noted in passed_over_leads. Returns how many it sent; repeated, it sends none twice: the ledger''s key '
'sees to it. Internal: run_job_step() calls it and has checked as_of.';
