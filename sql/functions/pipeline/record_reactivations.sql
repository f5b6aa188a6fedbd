-- The announced end did not come: a reminded lead stands before its next reminder again, or an expired lead is
-- protected again. Found by comparing what was announced with what the clock says, whatever moved it.
CREATE OR REPLACE FUNCTION lead_protection.record_reactivations(as_of timestamptz, batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for each batch: a plan for the tables as a session met them first, empty, may read an index through.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    lead_ids bigint [];
    decided_at timestamptz;
    entries lead_protection.protection_log [];
    recorded bigint;
    told bigint;
BEGIN
    -- A drill decides for an instant in the past: what came after it was not ahead.
    IF record_reactivations.as_of IS NULL THEN
        recorded := lead_protection.take_back_ahead(record_reactivations.batch_size);
        IF recorded > 0 THEN
            RETURN recorded;
        END IF;
        PERFORM lead_protection.end_waits_ahead();
    END IF;

    decided_at := coalesce(record_reactivations.as_of, clock_timestamp());
    SELECT array_agg(moved.lead_id) INTO lead_ids
    FROM (
        SELECT c.lead_id
        FROM lead_protection.lead_clocks AS c
        INNER JOIN lead_protection.leads AS l ON c.lead_id = l.id
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        WHERE
            -- the predicate of lead_clocks_moved
            c.closed_at IS NULL
            AND (
                c.expired_at < c.protection_expires_at
                OR (c.expired_at IS NOT NULL AND (c.open_hold_from IS NOT NULL OR c.owed_notice_days IS NOT NULL))
                OR c.reminded_window < c.window_date
            )
            AND lead_protection.is_reactivated(c, s.state)
        ORDER BY c.lead_id
        LIMIT record_reactivations.batch_size
        FOR NO KEY UPDATE OF l SKIP LOCKED
    ) AS moved;
    IF lead_ids IS NULL THEN
        -- Who still waits is locked by others: noted, and left to the next run.
        lead_ids := lead_protection.lock_free_leads(
            ARRAY(
                SELECT c.lead_id
                FROM lead_protection.lead_clocks AS c
                CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
                WHERE
                    c.closed_at IS NULL
                    AND (
                        c.expired_at < c.protection_expires_at
                        OR (
                            c.expired_at IS NOT NULL
                            AND (c.open_hold_from IS NOT NULL OR c.owed_notice_days IS NOT NULL)
                        )
                        OR c.reminded_window < c.window_date
                    )
                    AND lead_protection.is_reactivated(c, s.state)
                ORDER BY c.lead_id
                LIMIT record_reactivations.batch_size
            ),
            'lead-protection-reminders', 'reactivations'
        );
    END IF;

    -- Decided under the locks, at an instant after the last change that was committed before them.
    decided_at := coalesce(record_reactivations.as_of, clock_timestamp());

    WITH reactivated AS (
        SELECT
            c.lead_id, c.user_id, c.window_date, c.expired_at, s.state, s.protection_expires_at,
            -- What was announced before the lead came here, was announced by nobody of ours.
            CASE WHEN c.expired_at IS NOT NULL
                THEN EXISTS (
                    SELECT FROM lead_protection.lead_expiries AS x
                    WHERE x.lead_id = c.lead_id AND x.user_id = c.user_id AND x.reactivated_at IS NULL AND NOT x.adopted
                )
                ELSE EXISTS (
                    SELECT FROM lead_protection.lead_reminders AS r
                    WHERE
                        r.lead_id = c.lead_id AND r.user_id = c.user_id AND r.reactivated_at IS NULL
                        AND r.window_date < c.window_date AND NOT r.adopted
                )
            END AS is_news
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        WHERE c.lead_id = ANY(lead_ids) AND lead_protection.is_reactivated(c, s.state)
    ),

    expiry AS (
        -- greatest: a clock that was set back must not stop the job.
        UPDATE lead_protection.lead_expiries AS x
        SET reactivated_at = greatest(decided_at, x.recorded_at)
        FROM reactivated AS a
        WHERE x.lead_id = a.lead_id AND x.user_id = a.user_id AND x.reactivated_at IS NULL
    ),

    reminder AS (
        UPDATE lead_protection.lead_reminders AS r
        SET reactivated_at = greatest(decided_at, r.sent_at)
        FROM reactivated AS a
        WHERE
            r.lead_id = a.lead_id AND r.user_id = a.user_id AND r.reactivated_at IS NULL
            AND r.window_date < a.window_date
    ),

    entry AS (
        SELECT array_agg(
            lead_protection.log_entry(
                a.lead_id, a.user_id, 'lead.protection.reactivated', decided_at, NULL, NULL,
                CASE WHEN a.expired_at IS NULL THEN 'GRACE' ELSE 'EXPIRED' END, NULL,
                a.state, a.protection_expires_at, NULL
            )
        ) AS entries
        FROM reactivated AS a
        WHERE a.is_news
    )

    SELECT (SELECT count(*) FROM reactivated), e.entries INTO recorded, entries FROM entry AS e;
    told := lead_protection.write_log(entries);
    PERFORM lead_protection.count_metric('lead_protection_reactivated_total', '{}', told);
    RETURN recorded;
END;
$$;

COMMENT ON FUNCTION lead_protection.record_reactivations(timestamptz, integer) IS
'Records leads whose announced end did not come, batch_size at most: marks the reminder or the expiry, and writes log '
'row and event in one transaction. as_of null: at the instant at which the leads are locked. Leads locked by others '
'are left to the next run, and noted in passed_over_leads when no other is left. Returns how many it recorded; '
'repeated, it records none twice: what is marked is not found again. A reminder is taken back once: if its window '
'returns and is left again, that is not told again. First it takes back what was recorded while the clock ran ahead, '
'see take_back_ahead() and '
'end_waits_ahead(), unless as_of is given. Internal: run_job_step() calls it and has checked the arguments.';
