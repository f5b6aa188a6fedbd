-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.explain_calendar(
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
            t.sentences,
            NULL::text AS reason,
            NULL::bigint AS actor_id
        FROM origin AS o
        CROSS JOIN LATERAL (
            VALUES
            (
                1, 'BASE', o.base_months, 0, explain_calendar.clock = 'base',
                lead_protection.sentence('term.base', jsonb_build_object('months', o.base_months))
            ),
            (
                2, 'EXTENSION', 0, o.extension_days, (o.rule = 'parallel') = (explain_calendar.clock = 'idle'),
                lead_protection.sentence(
                    CASE o.rule WHEN 'parallel' THEN 'term.idle' ELSE 'term.extension' END,
                    jsonb_build_object('days', o.extension_days)
                )
            ),
            (
                3, 'GRACE', 0, o.grace_days, (o.rule = 'parallel') = (explain_calendar.clock = 'idle'),
                lead_protection.sentence('term.grace', jsonb_build_object('days', o.grace_days))
            )
        ) AS t (place, item, months, days, applies, sentences)
        WHERE t.applies
        UNION ALL
        SELECT
            4,
            'GRANTED',
            x.id,
            x.granted_at,
            0,
            CASE WHEN w.why_not IS NULL THEN x.days ELSE 0 END,
            lead_protection.sentence(
                coalesce(w.why_not, 'extension.counted'),
                jsonb_build_object('days', x.days, 'approved_by', x.approved_by, 'user_id', x.user_id)
            ),
            x.reason,
            x.granted_by
        FROM origin AS o
        INNER JOIN lead_protection.lead_extensions AS x
            ON x.lead_id = explain_calendar.lead_clock.lead_id AND x.granted_at <= explain_calendar.as_of
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN x.user_id <> explain_calendar.lead_clock.user_id THEN 'extension.of_another_user'
                WHEN x.granted_at > explain_calendar.lead_clock.closed_at THEN 'extension.after_closing'
                WHEN x.granted_at < explain_calendar.lead_clock.started_at THEN 'extension.before_start'
                WHEN x.granted_at < o.counted_from THEN 'extension.before_activity'
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
        e.sentences,
        e.reason,
        e.actor_id,
        e.granted_at AS entered_at
    FROM expiry AS e
    ORDER BY e.place, e.granted_at, e.fact_id;
END;

COMMENT ON FUNCTION lead_protection.explain_calendar(lead_protection.lead_clocks, text, timestamptz) IS
'The months and days of one clock, base or idle, as steps of explain_protection(): the terms of the policy, then each '
'extension on request that was granted by as_of, with the expiry reached so far. lead_clock: of '
'derive_lead_clocks(as_of). Internal.';
