-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.explain_calendar(
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
            p.*,
            CASE explain_calendar.clock
                WHEN 'base' THEN explain_calendar.lead_clock.started_at
                ELSE explain_calendar.lead_clock.idle_from
            END AS counted_from
        FROM lead_protection.protection_policies AS p
        WHERE p.id = explain_calendar.lead_clock.policy_id
    ),

    addition AS (
        SELECT
            t.place,
            t.item,
            NULL::bigint AS fact_id,
            NULL::timestamptz AS granted_at,
            t.months,
            t.days,
            t.explanation
        FROM origin AS o
        CROSS JOIN LATERAL (
            VALUES
            (
                1, 'BASE', o.base_months, 0, explain_calendar.clock = 'base',
                format('+ %s month%s.', o.base_months, CASE WHEN o.base_months <> 1 THEN 's' END)
            ),
            (
                2, 'EXTENSION', 0, o.extension_days, (o.rule = 'parallel') = (explain_calendar.clock = 'idle'),
                format(
                    '+ %s%s.',
                    lead_protection.elapsed_text(make_interval(days => o.extension_days)),
                    CASE o.rule WHEN 'parallel' THEN ' without a qualified activity' END
                )
            ),
            (
                3, 'GRACE', 0, o.grace_days, (o.rule = 'parallel') = (explain_calendar.clock = 'idle'),
                format('+ %s.', lead_protection.elapsed_text(make_interval(days => o.grace_days)))
            )
        ) AS t (place, item, months, days, applies, explanation)
        WHERE t.applies
        UNION ALL
        SELECT
            4,
            'GRANTED',
            x.id,
            x.granted_at,
            0,
            CASE WHEN w.why_not IS NULL THEN x.days ELSE 0 END,
            format(
                CASE
                    WHEN w.why_not IS NULL THEN '+ %1$s on request, approved by %2$s.'
                    ELSE 'Not counted: %1$s on request, %3$s.'
                END,
                lead_protection.elapsed_text(make_interval(days => x.days)), x.approved_by, w.why_not
            )
        FROM origin AS o
        INNER JOIN lead_protection.lead_extensions AS x
            ON x.lead_id = explain_calendar.lead_clock.lead_id AND x.granted_at <= explain_calendar.as_of
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN x.user_id <> explain_calendar.lead_clock.user_id THEN 'granted to user ' || x.user_id
                WHEN x.granted_at > explain_calendar.lead_clock.closed_at THEN 'granted after the lead was closed'
                WHEN x.granted_at < explain_calendar.lead_clock.started_at THEN 'granted before this protection began'
                WHEN x.granted_at < o.counted_from THEN 'granted before the last qualified activity'
            END AS why_not
        ) AS w
        -- What others were granted is told once.
        WHERE explain_calendar.clock = 'base' OR x.user_id = explain_calendar.lead_clock.user_id
    ),

    -- One calendar addition is the rule: each step adds all months and days so far to where the clock started.
    expiry AS (
        SELECT
            a.*,
            o.counted_from,
            lead_protection.calendar_expiry(
                o.counted_from, o.time_zone, (sum(a.months) OVER steps)::integer, (sum(a.days) OVER steps)::integer
            ) AS expires_at
        FROM addition AS a
        CROSS JOIN origin AS o
        WINDOW steps AS (ORDER BY a.place, a.granted_at, a.fact_id)
    )

    SELECT
        e.item,
        e.fact_id,
        e.granted_at,
        NULL::timestamptz,
        e.expires_at - lag(e.expires_at, 1, e.counted_from) OVER (ORDER BY e.place, e.granted_at, e.fact_id),
        e.expires_at,
        e.explanation
    FROM expiry AS e
    ORDER BY e.place, e.granted_at, e.fact_id;
END;

COMMENT ON FUNCTION lead_protection.explain_calendar(lead_protection.lead_clocks, text, timestamptz) IS
'The months and days of one clock, base or idle, as steps of explain_protection(): the terms of the policy, then each '
'extension on request that was granted by as_of, with the expiry reached so far. lead_clock: of '
'derive_lead_clocks(as_of). Internal.';
