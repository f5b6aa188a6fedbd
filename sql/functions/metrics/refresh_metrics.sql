CREATE OR REPLACE FUNCTION lead_protection.refresh_metrics(min_age interval DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- In the background: without a second processor.
SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    decided_at CONSTANT timestamptz := clock_timestamp();
    waiting numeric;
    missed numeric;
BEGIN
    -- Whoever holds the lock does the work of all.
    PERFORM FROM lead_protection.lock_rows AS l WHERE l.lock_name = 'lead-protection-metrics' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- However many leads there are, it takes 2 of 100 seconds at most. A measurement that lies ahead is one of a clock
    -- that was set back.
    IF EXISTS (
        SELECT FROM lead_protection.metric_values AS v
        WHERE
            v.metric = 'lead_metrics_refresh_seconds' AND v.measured_at <= decided_at
            AND v.measured_at > decided_at - coalesce(
                -- Within what an instant can be.
                CASE
                    WHEN refresh_metrics.min_age IS NOT NULL
                        THEN least(greatest(refresh_metrics.min_age, INTERVAL '0'), INTERVAL '1000 years')
                END,
                greatest(INTERVAL '55 seconds', 50 * v.value * INTERVAL '1 second')
            )
    ) THEN
        RETURN false;
    END IF;

    -- One look at every lead: to count the entries of indexes instead takes as long, and would be a second rule.
    WITH leads AS MATERIALIZED (
        SELECT
            v.state,
            count(*) AS leads,
            count(*) FILTER (
                WHERE v.state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE') AND NOT v.on_hold
                AND v.protection_expires_at < now() + INTERVAL '168 hours'
            ) AS expiring
        FROM lead_protection.v_user_lead_protection AS v
        GROUP BY v.state
    ),

    states AS (
        SELECT s.state, coalesce(l.leads, 0) AS leads
        FROM unnest(ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE']) AS s (state)
        LEFT JOIN leads AS l ON s.state = l.state
    ),

    holds AS MATERIALIZED (
        SELECT count(*) AS active, count(*) FILTER (WHERE a.overrun) AS overrun
        FROM lead_protection.v_active_holds AS a
    )

    INSERT INTO lead_protection.metric_values AS v (metric, labels, value, measured_at)
    SELECT m.metric, m.labels, m.value, decided_at
    FROM (
        SELECT 'lead_protection_state' AS metric, jsonb_build_object('state', s.state) AS labels, s.leads AS value
        FROM states AS s
        UNION ALL
        SELECT 'lead_protection_expired_count', '{}', s.leads FROM states AS s WHERE s.state = 'EXPIRED'
        UNION ALL
        SELECT 'lead_protection_expiring', '{}', coalesce(sum(l.expiring), 0) FROM leads AS l
        UNION ALL
        SELECT 'lead_reminder_waiting', '{}', count(*) FROM lead_protection.waiting_reminders(decided_at) AS w
        UNION ALL
        SELECT 'lead_holds_active', '{}', h.active FROM holds AS h
        UNION ALL
        SELECT 'lead_holds_overrun', '{}', h.overrun FROM holds AS h
    ) AS m
    ON CONFLICT ON CONSTRAINT metric_values_pkey DO UPDATE
    SET value = excluded.value, measured_at = excluded.measured_at;

    WITH counted AS (
        DELETE FROM lead_protection.metric_counts AS n RETURNING n.metric, n.labels, n.value
    )

    INSERT INTO lead_protection.metric_counters AS c (metric, labels, value)
    SELECT n.metric, n.labels, sum(n.value)
    FROM counted AS n
    GROUP BY n.metric, n.labels
    ON CONFLICT ON CONSTRAINT metric_counters_pkey DO UPDATE SET value = c.value + excluded.value;

    -- Nothing happens when a reminder falls due, so what fell due is what was sent, missed and waits; or the most that
    -- this has ever been, where a hold or a change made one wait no more.
    SELECT v.value INTO waiting FROM lead_protection.metric_values AS v WHERE v.metric = 'lead_reminder_waiting';
    SELECT count(*)::numeric INTO missed
    FROM lead_protection.protection_log AS g
    WHERE g.details ? 'missed_reminder_due_at';
    UPDATE lead_protection.metric_counters AS c
    SET value = greatest(
        c.value,
        CASE c.metric
            WHEN 'lead_reminder_missed_total' THEN missed
            ELSE missed + waiting + (
                SELECT s.value FROM lead_protection.metric_counters AS s WHERE s.metric = 'lead_reminder_sent_total'
            )
        END
    )
    WHERE c.metric IN ('lead_reminder_due_total', 'lead_reminder_missed_total');

    INSERT INTO lead_protection.metric_values AS v (metric, labels, value, measured_at)
    VALUES ('lead_metrics_refresh_seconds', '{}', extract(EPOCH FROM clock_timestamp() - decided_at), decided_at)
    ON CONFLICT ON CONSTRAINT metric_values_pkey DO UPDATE
    SET value = excluded.value, measured_at = excluded.measured_at;
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lead_protection.refresh_metrics(interval) IS
'Counts anew what v_metrics shows and is too dear for each scrape, and adds up its counters. Returns whether it did: '
'not if another one is at work, or the last is younger than min_age, elapsed time; null (the default): younger than 55 '
'seconds or than 50 times what it took. run_protection_pipeline() calls it at its end; whoever wants fresh numbers may '
'call it at any time with min_age 0.';
