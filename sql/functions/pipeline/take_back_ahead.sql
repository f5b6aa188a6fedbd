-- Whatever bears an instant that has not come was written by a clock that ran ahead. What time has caught up with was
-- right in the end, and only too early: it keeps its row. What it has not, nobody was owed: it goes, or a lead would
-- stand as expired, or as reminded, until that day.
CREATE OR REPLACE FUNCTION lead_protection.take_back_ahead(batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for each batch: a plan for the tables as a session met them first, empty, may read an index through.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    -- A constant: no index is asked for what may be another instant at each row.
    present CONSTANT timestamptz := clock_timestamp();
    -- Within the skew that is allowed time catches up: better early than twice.
    caught_up CONSTANT timestamptz := present + INTERVAL '5 minutes';
    ahead CONSTANT bigint [] := ARRAY(
        SELECT x.lead_id
        FROM lead_protection.lead_expiries AS x
        WHERE x.reactivated_at IS NULL AND x.recorded_at > present
        UNION
        SELECT r.lead_id
        FROM lead_protection.lead_reminders AS r
        WHERE r.sent_at > present AND (r.due_at <= present OR r.due_at > caught_up)
        UNION
        SELECT w.lead_id
        FROM lead_protection.lead_warnings AS w
        WHERE w.sent_at > present AND (w.due_at <= present OR w.due_at > caught_up)
        UNION
        SELECT d.lead_id
        FROM lead_protection.reminder_deliveries AS d
        WHERE d.occurred_at > caught_up
    );
    lead_ids bigint [];
    before lead_protection.lead_clocks [];
    reminders lead_protection.lead_reminders [];
    expiries lead_protection.lead_expiries [];
    warnings lead_protection.lead_warnings [];
    decided_at timestamptz;
    told bigint;
BEGIN
    IF ahead = '{}' THEN
        RETURN 0::bigint;
    END IF;
    SELECT array_agg(found.id) INTO lead_ids
    FROM (
        SELECT l.id
        FROM lead_protection.leads AS l
        WHERE l.id = ANY(ahead)
        ORDER BY l.id
        LIMIT take_back_ahead.batch_size
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS found;
    IF lead_ids IS NULL THEN
        -- Who still waits is locked by others: noted, and left to the next run.
        lead_ids := lead_protection.lock_free_leads(
            ahead[1:take_back_ahead.batch_size], 'lead-protection-reminders', 'reactivations'
        );
    END IF;
    decided_at := clock_timestamp();
    before := ARRAY(SELECT c FROM lead_protection.lead_clocks AS c WHERE c.lead_id = ANY(lead_ids));

    -- greatest: the ledger takes no expiry that was taken back before it was recorded.
    WITH taken_back AS (
        UPDATE lead_protection.lead_expiries AS x
        SET reactivated_at = greatest(decided_at, x.recorded_at)
        WHERE
            x.lead_id = ANY(lead_ids) AND x.reactivated_at IS NULL
            AND x.recorded_at > decided_at AND x.protection_expires_at > decided_at
        RETURNING x AS expiry
    )

    SELECT array_agg(t.expiry) INTO expiries FROM taken_back AS t;
    UPDATE lead_protection.lead_expiries AS x
    SET recorded_at = decided_at
    WHERE x.lead_id = ANY(lead_ids) AND x.reactivated_at IS NULL AND x.recorded_at > decided_at;

    -- The row goes, so that the pipeline sends this reminder when it is due: the ledger takes one for each window. What
    -- was sent, and what became of it, the log keeps.
    reminders := ARRAY(
        SELECT r
        FROM lead_protection.lead_reminders AS r
        WHERE
            r.lead_id = ANY(lead_ids) AND r.sent_at > decided_at AND lead_protection.exceeds_clock_skew(r.due_at)
    );
    DELETE FROM lead_protection.reminder_deliveries AS d
    USING unnest(reminders) AS t
    WHERE (d.lead_id, d.user_id, d.window_date) = (t.lead_id, t.user_id, t.window_date);
    DELETE FROM lead_protection.lead_reminders AS r
    USING unnest(reminders) AS t
    WHERE (r.lead_id, r.user_id, r.window_date) = (t.lead_id, t.user_id, t.window_date);
    -- What has arrived has: a notice that counts from then would be owed until that day.
    UPDATE lead_protection.reminder_deliveries AS d
    SET occurred_at = decided_at
    WHERE d.lead_id = ANY(lead_ids) AND lead_protection.exceeds_clock_skew(d.occurred_at);
    IF FOUND THEN
        -- Of most reports no clock needs to know: no trigger tells it.
        PERFORM lead_protection.refresh_lead_clocks(lead_ids);
    END IF;
    UPDATE lead_protection.lead_reminders AS r
    SET sent_at = decided_at, fell_due_at = least(r.fell_due_at, decided_at)
    WHERE r.lead_id = ANY(lead_ids) AND r.sent_at > decided_at AND r.due_at <= decided_at;
    -- So does that of an early warning, which nothing tells: it announced no end.
    WITH taken_back AS (
        DELETE FROM lead_protection.lead_warnings AS w
        WHERE
            w.lead_id = ANY(lead_ids) AND w.sent_at > decided_at AND lead_protection.exceeds_clock_skew(w.due_at)
        RETURNING w AS warning
    )

    SELECT array_agg(t.warning) INTO warnings FROM taken_back AS t;
    UPDATE lead_protection.lead_warnings AS w
    SET sent_at = decided_at
    WHERE w.lead_id = ANY(lead_ids) AND w.sent_at > decided_at AND w.due_at <= decided_at;
    -- Nobody is to mail what was taken back, whatever waits for it.
    UPDATE lead_protection.event_deliveries AS d
    SET status = 'discarded', settled_at = decided_at, error = 'taken back: sent while the clock ran ahead'
    FROM (
        SELECT
            r.lead_id, r.user_id, 'lead.protection.reminder' AS event_type,
            jsonb_build_object('window_date', to_char(r.window_date, 'YYYY-MM-DD')) AS details
        FROM unnest(reminders) AS r
        UNION ALL
        SELECT
            w.lead_id, w.user_id, 'lead.protection.warning',
            jsonb_build_object(
                'window_date', to_char(w.window_date, 'YYYY-MM-DD'), 'days_before', w.days_before,
                'audience', w.audience
            )
        FROM unnest(warnings) AS w
    ) AS t
    INNER JOIN lead_protection.protection_log AS g
        ON
            t.lead_id = g.lead_id AND t.user_id = g.user_id AND g.occurred_at > decided_at
            AND t.event_type = g.event_type AND g.details @> t.details
    WHERE d.event_id = g.event_id AND d.status = 'pending';

    WITH log_row AS (
        INSERT INTO lead_protection.protection_log (
            lead_id, user_id, event_type, occurred_at, state_before, state_after, expires_after
        )
        SELECT
            c.lead_id, c.user_id, 'lead.protection.reactivated', decided_at,
            CASE WHEN b.expired_at IS NULL THEN 'GRACE' ELSE 'EXPIRED' END, s.state, s.protection_expires_at
        FROM unnest(before) AS b
        INNER JOIN lead_protection.lead_clocks AS c ON b.lead_id = c.lead_id
        CROSS JOIN LATERAL lead_protection.clock_at(c, decided_at) AS s
        -- What was announced before the lead came here, was announced by nobody of ours.
        WHERE
            CASE
                WHEN b.expired_at IS NOT NULL
                    THEN
                        s.state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE')
                        AND EXISTS (
                            SELECT FROM unnest(expiries) AS x
                            WHERE x.lead_id = c.lead_id AND x.user_id = c.user_id AND NOT x.adopted
                        )
                ELSE
                    s.state = 'PROTECTED'
                    AND EXISTS (
                        SELECT FROM unnest(reminders) AS r
                        WHERE r.lead_id = c.lead_id AND r.user_id = c.user_id AND NOT r.adopted
                    )
            END
        RETURNING 1
    )

    SELECT count(*) INTO told FROM log_row;
    PERFORM lead_protection.count_metric('lead_protection_reactivated_total', '{}', told);
    RETURN cardinality(lead_ids)::bigint;
END;
$$;

COMMENT ON FUNCTION lead_protection.take_back_ahead(integer) IS
'Finds expiries, reminders and early warnings that bear an instant which has not come by this server''s clock: a '
'clock that ran ahead recorded them. Those whose end, or due instant, lies ahead, too, are taken back, with '
'lead.protection.reactivated in log and outbox: the expiry is marked, the reminder leaves the ledger with what was '
'reported of it, and is sent when it is due; so is a warning, of which no event tells; a consumer that has not '
'handled its event yet does not get it any more. One that is due within 5 minutes stays. Those that time has caught '
'up with stay, and bear the present instant; so does what was reported of them, for a clock that counts from it. '
'batch_size: so many leads. Leads locked by others are left to the next run, and noted in passed_over_leads. Returns '
'of how many leads it was; repeated: 0. Internal: record_reactivations() calls it.';
