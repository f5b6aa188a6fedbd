-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.explain_activity(
    lead_clock lead_protection.lead_clocks, as_of timestamptz
)
RETURNS TABLE (
    item text, fact_id bigint, from_at timestamptz, until_at timestamptz, moved_by interval, expires_at timestamptz,
    explanation text
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        'ACTIVITY',
        last.id,
        (explain_activity.lead_clock).idle_from,
        NULL::timestamptz,
        NULL::interval,
        NULL::timestamptz,
        format(
            'Activities of user %s from the start on: %s, of which %s qualified. %s',
            (explain_activity.lead_clock).user_id, done.activities, done.qualified,
            CASE
                WHEN last.id IS NULL THEN 'The idle clock starts with the protection.'
                ELSE format('The idle clock starts with the last of them, %s.', last.kind)
            END
        )
    FROM (
        SELECT
            count(*) AS activities,
            count(*) FILTER (WHERE k.qualifies) AS qualified
        FROM lead_protection.lead_activities AS a
        INNER JOIN lead_protection.activity_kinds AS k ON a.kind = k.kind
        WHERE
            a.lead_id = (explain_activity.lead_clock).lead_id
            AND a.user_id = (explain_activity.lead_clock).user_id
            AND a.deleted_at IS NULL
            AND a.occurred_at >= (explain_activity.lead_clock).started_at
            AND a.occurred_at <= least(explain_activity.as_of, (explain_activity.lead_clock).closed_at)
    ) AS done
    LEFT JOIN LATERAL (
        SELECT
            a.id,
            a.kind
        FROM lead_protection.lead_activities AS a
        INNER JOIN lead_protection.activity_kinds AS k ON a.kind = k.kind
        WHERE
            a.lead_id = (explain_activity.lead_clock).lead_id
            AND a.user_id = (explain_activity.lead_clock).user_id
            AND a.deleted_at IS NULL
            AND a.occurred_at = (explain_activity.lead_clock).idle_from
            AND k.qualifies
        ORDER BY a.id
        LIMIT 1
    ) AS last ON true;
END;

COMMENT ON FUNCTION lead_protection.explain_activity(lead_protection.lead_clocks, timestamptz) IS
'Where the idle clock starts, as a step of explain_protection(): the last qualified activity of the protected user, or '
'the start of the protection. lead_clock: of derive_lead_clocks(as_of). Internal.';
