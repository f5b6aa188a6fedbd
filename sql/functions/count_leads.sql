-- Counts 10 million leads without reading their rows. Most states follow from the index that a clock is in, and an
-- index is counted without looking at the rows; only the clocks near a change, and those that stand still, are looked
-- at. tests/test_metrics.py compares with the view.
CREATE OR REPLACE FUNCTION lead_protection.count_leads(as_of timestamptz DEFAULT now())
RETURNS TABLE (state text, leads bigint, waiting bigint, expiring bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- In the background: with indexes, whatever the statistics say, and without a second processor.
SET enable_seqscan = off SET max_parallel_workers_per_gather = 0
AS $$
WITH horizon AS (
    -- No reminder is due earlier before the expiry than the longest grace; two days more for the calendar.
    SELECT count_leads.as_of + make_interval(days => greatest(max(p.grace_days) + 2, 8)) AS at
    FROM lead_protection.protection_policies AS p
),

looked_at AS MATERIALIZED (
    -- the predicate of lead_clocks_to_expire: those that run
    (
        SELECT 'open' AS class, s.state, s.on_hold, s.protection_expires_at
        FROM lead_protection.lead_clocks AS c
        CROSS JOIN LATERAL lead_protection.clock_at(c, count_leads.as_of) AS s
        WHERE
            c.closed_at IS NULL AND c.expired_at IS NULL
            AND c.protection_expires_at <= (SELECT h.at FROM horizon AS h)
            AND NOT (c.runs_from > count_leads.as_of AND c.runs_from > c.started_at)
        -- the order of this index and of no other, whatever the statistics say
        ORDER BY c.protection_expires_at, c.lead_id
    )
    UNION ALL
    -- the predicate of lead_clocks_stopped: those that do not
    SELECT 'open', s.state, s.on_hold, s.protection_expires_at
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, count_leads.as_of) AS s
    WHERE
        c.closed_at IS NULL AND c.expired_at IS NULL
        AND c.runs_from > count_leads.as_of AND c.runs_from > c.started_at
    UNION ALL
    -- the predicate of lead_clocks_moved: expiries that stand recorded and may not be true any more
    SELECT 'expired', s.state, s.on_hold, s.protection_expires_at
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, count_leads.as_of) AS s
    WHERE
        c.closed_at IS NULL
        AND (
            c.expired_at < c.protection_expires_at
            OR (c.expired_at IS NOT NULL AND (c.open_hold_from IS NOT NULL OR c.owed_notice_days IS NOT NULL))
            OR c.reminded_window < c.window_date
        )
        AND c.expired_at IS NOT NULL
    UNION ALL
    -- the predicate of lead_clocks_closed: none, unless as_of lies in the past
    SELECT 'closed', s.state, s.on_hold, s.protection_expires_at
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, count_leads.as_of) AS s
    WHERE c.closed_at IS NOT NULL AND c.closed_at > count_leads.as_of
),

indexed AS (
    SELECT
        (SELECT count(*) FROM lead_protection.lead_clocks) AS every,
        (
            SELECT count(*) FROM lead_protection.lead_clocks AS c WHERE c.closed_at IS NULL AND c.expired_at IS NULL
        ) AS open,
        (SELECT count(*) FROM lead_protection.lead_clocks AS c WHERE c.closed_at IS NOT NULL) AS closed
),

counted AS (
    SELECT
        l.state,
        count(*) AS leads,
        count(*) FILTER (WHERE l.state = 'REMINDER_DUE' AND NOT l.on_hold) AS waiting,
        count(*) FILTER (
            WHERE l.state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE') AND NOT l.on_hold
            AND l.protection_expires_at < count_leads.as_of + INTERVAL '168 hours'
        ) AS expiring
    FROM looked_at AS l
    GROUP BY l.state
    UNION ALL
    SELECT
        rest.state,
        rest.in_index - (SELECT count(*) FROM looked_at AS l WHERE l.class = rest.class),
        0,
        0
    FROM indexed AS i
    CROSS JOIN LATERAL (
        VALUES
        ('open', 'PROTECTED', i.open), ('expired', 'EXPIRED', i.every - i.open - i.closed), ('closed', 'CLOSED', i.closed)
    ) AS rest (class, state, in_index)
)

SELECT s.state, coalesce(sum(c.leads), 0)::bigint, coalesce(sum(c.waiting), 0)::bigint, coalesce(sum(c.expiring), 0)::bigint
FROM unnest(ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED']) AS s (state)
LEFT JOIN counted AS c ON s.state = c.state
GROUP BY s.state
$$;

COMMENT ON FUNCTION lead_protection.count_leads(timestamptz) IS
'A row for each of the five states: leads in it at as_of, on hold included; waiting: of those, reminders that are due, not sent and not on hold; expiring: not on hold and with an expiry within 7 days of 24 hours. For now and later, from the cache. What v_kpi_states says, without reading every row. Changes nothing. Internal: refresh_metrics() calls it.';
