-- The linter cannot indent JOIN LATERAL (…), and does not see that a SELECT without FROM has one row.
-- noqa: disable=LT02,AM09
CREATE OR REPLACE FUNCTION lead_protection.explain_holds(
    lead_clock lead_protection.lead_clocks, clock text, as_of timestamptz
)
RETURNS TABLE (
    item text, fact_id bigint, from_at timestamptz, until_at timestamptz, moved_by interval, expires_at timestamptz,
    sentences jsonb, reason text, actor_id bigint, entered_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH origin AS (
        SELECT
            o.*,
            p.hold_unit,
            p.time_zone
        FROM (
            VALUES
            (
                'base', explain_holds.lead_clock.started_at, explain_holds.lead_clock.base_expires_at,
                'start'
            ),
            (
                'idle', explain_holds.lead_clock.idle_from, explain_holds.lead_clock.idle_base_expires_at,
                CASE explain_holds.lead_clock.idle_from
                    WHEN explain_holds.lead_clock.started_at THEN 'start'
                    ELSE 'activity'
                END
            ),
            (
                'notice', explain_holds.lead_clock.noticed_at, explain_holds.lead_clock.notice_base_expires_at,
                'notice'
            )
        ) AS o (clock, counted_from, base_expires_at, beginning)
        INNER JOIN lead_protection.protection_policies AS p ON p.id = explain_holds.lead_clock.policy_id
        WHERE o.clock = explain_holds.clock
    ),

    hold AS (
        SELECT
            h.id,
            h.user_id,
            h.start_at,
            h.end_at,
            h.voided_at,
            h.reason,
            h.created_by,
            h.created_at,
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
            o.hold_unit,
            o.time_zone
        FROM origin AS o
        CROSS JOIN so_far AS s
        CROSS JOIN LATERAL (
            SELECT
                lead_protection.stop_clock(
                    o.base_expires_at, s.stops, explain_holds.lead_clock.day_policy_id
                ) AS expires_at
            LIMIT 1
        ) AS e
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
                THEN lead_protection.sentence('hold.of_another_user', jsonb_build_object('user_id', e.user_id))
            WHEN e.voided_at IS NOT NULL THEN lead_protection.sentence('hold.void')
            WHEN e.end_at = e.start_at THEN lead_protection.sentence('hold.ended_before_it_began')
            WHEN e.start_at = e.stopped_until AND explain_holds.lead_clock.closed_at IS NOT NULL
                THEN lead_protection.sentence('hold.after_closing')
            WHEN e.start_at = e.stopped_until THEN lead_protection.sentence('hold.not_yet')
            WHEN e.stopped_until <= e.counted_from THEN lead_protection.sentence('hold.before_' || e.beginning)
            WHEN
                lower(e.stop) >= lead_protection.protection_end(
                    e.expires_before, explain_holds.lead_clock.day_policy_id
                )
                THEN lead_protection.sentence('hold.after_expiry')
            WHEN e.covered_until >= e.stopped_until THEN lead_protection.sentence('hold.covered')
            ELSE lead_protection.sentence(
                CASE
                    WHEN e.hold_unit = 'day' THEN 'hold.by_days'
                    WHEN e.expires_at - e.expires_before = e.end_at - e.start_at THEN 'hold.in_full'
                    ELSE 'hold.in_part'
                END,
                jsonb_build_object(
                    'from', lead_protection.instant_text(greatest(lower(e.stop), e.covered_until)),
                    'until', lead_protection.instant_text(e.stopped_until),
                    'length', trim_scale(extract(EPOCH FROM e.expires_at - e.expires_before)),
                    'first', to_char(lower(e.stop) AT TIME ZONE e.time_zone, 'YYYY-MM-DD'),
                    'last', to_char((upper(e.stop) - INTERVAL '1 microsecond') AT TIME ZONE e.time_zone, 'YYYY-MM-DD'),
                    'days',
                    (e.expires_at AT TIME ZONE e.time_zone)::date - (e.expires_before AT TIME ZONE e.time_zone)::date
                )
            )
            || lead_protection.sentence(CASE WHEN lower(e.stop) >= e.expires_before THEN 'hold.in_rest' END)
            || lead_protection.sentence(
                CASE WHEN e.start_at < e.counted_from THEN 'hold.part_before_' || e.beginning END
            )
            || lead_protection.sentence(CASE WHEN e.covered_until > lower(e.stop) THEN 'hold.part_covered' END)
            || lead_protection.sentence(
                CASE
                    WHEN e.end_at IS NOT NULL THEN NULL
                    WHEN explain_holds.lead_clock.closed_at IS NULL THEN 'hold.open'
                    ELSE 'hold.ended_by_closing'
                END
            )
        END,
        e.reason,
        e.created_by,
        e.created_at
    FROM expiry AS e
    ORDER BY e.start_at, e.id;
END;

COMMENT ON FUNCTION lead_protection.explain_holds(lead_protection.lead_clocks, text, timestamptz) IS
'The holds of a lead as steps of explain_protection(), in the order in which they begin: how far each moves one clock '
'(base, idle or notice), the expiry reached so far, and why a part did not count. lead_clock: of '
'derive_lead_clocks(as_of). Internal.';
