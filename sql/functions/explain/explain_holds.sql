-- The linter cannot indent JOIN LATERAL (…), and does not see that a SELECT without FROM has one row.
-- noqa: disable=LT02,AM09
CREATE OR REPLACE FUNCTION lead_protection.explain_holds(
    lead_clock lead_protection.lead_clocks, clock text, as_of timestamptz
)
RETURNS TABLE (
    item text, fact_id bigint, from_at timestamptz, until_at timestamptz, moved_by interval, expires_at timestamptz,
    explanation text
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH origin AS (
        SELECT
            o.*,
            p.time_zone
        FROM (
            VALUES
            (
                'base', explain_holds.lead_clock.started_at, explain_holds.lead_clock.base_expires_at,
                'the protection began'
            ),
            (
                'idle', explain_holds.lead_clock.idle_from, explain_holds.lead_clock.idle_base_expires_at,
                CASE explain_holds.lead_clock.idle_from
                    WHEN explain_holds.lead_clock.started_at THEN 'the protection began'
                    ELSE 'the last qualified activity'
                END
            ),
            (
                'notice', explain_holds.lead_clock.noticed_at, explain_holds.lead_clock.notice_base_expires_at,
                'the reminder was sent'
            )
        ) AS o (clock, counted_from, base_expires_at, beginning)
        CROSS JOIN lead_protection.protection_policies AS p
        WHERE o.clock = explain_holds.clock AND p.id = explain_holds.lead_clock.policy_id
    ),

    hold AS (
        SELECT
            h.id,
            h.user_id,
            h.start_at,
            h.end_at,
            h.voided_at,
            s.stopped_until,
            CASE
                WHEN h.user_id = explain_holds.lead_clock.user_id AND h.voided_at IS NULL
                    THEN tstzrange(h.start_at, s.stopped_until) * tstzrange(o.counted_from, NULL)
                ELSE 'empty'
            END AS stop
        FROM origin AS o
        INNER JOIN lead_protection.lead_holds AS h ON h.lead_id = explain_holds.lead_clock.lead_id
        CROSS JOIN LATERAL (
            SELECT
                -- An open hold has lasted until the instant of looking; the closing of the lead ended it.
                coalesce(
                    h.end_at,
                    greatest(coalesce(explain_holds.lead_clock.closed_at, explain_holds.as_of), h.start_at)
                ) AS stopped_until
            LIMIT 1
        ) AS s
        -- Holds of others are told of once.
        WHERE explain_holds.clock = 'base' OR h.user_id = explain_holds.lead_clock.user_id
    ),

    so_far AS (
        SELECT
            h.*,
            range_agg(h.stop) OVER (ORDER BY h.start_at, h.id) AS stops,
            upper(
                range_agg(h.stop) OVER (ORDER BY h.start_at, h.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            ) AS covered_until
        FROM hold AS h
    ),

    expiry AS (
        SELECT
            s.*,
            e.expires_at,
            lag(e.expires_at, 1, o.base_expires_at) OVER (ORDER BY s.start_at, s.id) AS expires_before,
            o.counted_from,
            o.beginning,
            o.time_zone
        FROM origin AS o
        CROSS JOIN so_far AS s
        CROSS JOIN LATERAL lead_protection.stop_clock(o.base_expires_at, s.stops) AS e
    )

    SELECT
        'HOLD',
        e.id,
        e.start_at,
        e.end_at,
        e.expires_at - e.expires_before,
        e.expires_at,
        CASE
            WHEN e.user_id <> explain_holds.lead_clock.user_id
                THEN format('Not counted: a hold of user %s.', e.user_id)
            WHEN e.voided_at IS NOT NULL THEN 'Not counted: it was declared void.'
            WHEN e.end_at = e.start_at THEN 'Not counted: it was ended before it began.'
            WHEN e.start_at = e.stopped_until AND explain_holds.lead_clock.closed_at IS NOT NULL
                THEN 'Not counted: it begins when the lead is closed already.'
            WHEN e.start_at = e.stopped_until THEN 'Not counted yet: it is open, and no time of it has passed.'
            WHEN e.stopped_until <= e.counted_from THEN format('Not counted: it ended before %s.', e.beginning)
            WHEN lower(e.stop) >= e.expires_before
                THEN 'Not counted: it begins when the expiry reached so far has passed.'
            WHEN e.covered_until >= e.stopped_until
                THEN 'Not counted: earlier holds stop the clock for all of its time.'
            ELSE format(
                'Counted %s: %s.%s%s%s',
                CASE
                    WHEN e.expires_at - e.expires_before = e.end_at - e.start_at THEN 'in full'
                    ELSE format(
                        'from %s to %s',
                        lead_protection.local_text(greatest(lower(e.stop), e.covered_until), e.time_zone),
                        lead_protection.local_text(e.stopped_until, e.time_zone)
                    )
                END,
                lead_protection.elapsed_text(e.expires_at - e.expires_before),
                CASE WHEN e.start_at < e.counted_from THEN format(' What lies before %s does not.', e.beginning) END,
                CASE WHEN e.covered_until > lower(e.stop) THEN ' Until then earlier holds stop the clock.' END,
                CASE
                    WHEN e.end_at IS NOT NULL THEN ''
                    WHEN explain_holds.lead_clock.closed_at IS NULL THEN ' It is open and goes on.'
                    ELSE ' The closing of the lead ended it.'
                END
            )
        END
    FROM expiry AS e
    ORDER BY e.start_at, e.id;
END;

COMMENT ON FUNCTION lead_protection.explain_holds(lead_protection.lead_clocks, text, timestamptz) IS
'The holds of a lead as steps of explain_protection(), in the order in which they begin: how far each moves one clock '
'(base, idle or notice), the expiry reached so far, and why a part did not count. lead_clock: of '
'derive_lead_clocks(as_of). Internal.';
