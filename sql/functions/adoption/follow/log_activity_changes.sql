CREATE OR REPLACE FUNCTION lead_protection.log_activity_changes(
    adoption lead_protection.adoptions,
    reason text,
    event_type text,
    before lead_protection.v_user_lead_protection[],
    decided_at timestamptz,
    activities_before lead_protection.lead_activities[],
    activities lead_protection.lead_activities[]
)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT lead_protection.log_lead_changes(
    log_activity_changes.event_type, log_activity_changes.before, log_activity_changes.decided_at,
    log_activity_changes.adoption.actor_id, array_agg(f.lead_id), array_agg(log_activity_changes.reason),
    array_agg(
        jsonb_build_object(
            'activity_id', f.id, 'activity_key', f.activity_key, 'kind', f.kind, 'activity_user_id', f.user_id,
            'activity_occurred_at', lead_protection.instant_text(least(f.occurred_at, log_activity_changes.decided_at))
        ) || CASE WHEN log_activity_changes.event_type = 'lead.activity.corrected'
            THEN jsonb_build_object(
                'kind_before', o.kind, 'activity_occurred_at_before', lead_protection.instant_text(o.occurred_at)
            )
            ELSE '{}'
        END
    )
)
FROM (
    -- That one was recorded is told if it moved something: by the last of the lead.
    SELECT DISTINCT ON (CASE WHEN log_activity_changes.reason IS NULL THEN g.lead_id ELSE g.id END) g.*
    FROM unnest(log_activity_changes.activities) AS g
    INNER JOIN unnest(log_activity_changes.before) AS b ON g.lead_id = b.lead_id
    LEFT JOIN lead_protection.read_leads(
        ARRAY(SELECT x.lead_id FROM unnest(log_activity_changes.activities) AS x), log_activity_changes.decided_at
    ) AS a ON g.lead_id = a.lead_id
    WHERE
        log_activity_changes.reason IS NOT NULL
        OR (a.state, a.on_hold, a.protection_expires_at, a.reminder_due_at)
        IS DISTINCT FROM (b.state, b.on_hold, b.protection_expires_at, b.reminder_due_at)
    ORDER BY CASE WHEN log_activity_changes.reason IS NULL THEN g.lead_id ELSE g.id END, g.occurred_at DESC
) AS f
LEFT JOIN unnest(log_activity_changes.activities_before) AS o ON f.id = o.id
HAVING count(*) > 0
$$;

COMMENT ON FUNCTION lead_protection.log_activity_changes(
    lead_protection.adoptions, text, text, lead_protection.v_user_lead_protection[], timestamptz,
    lead_protection.lead_activities[], lead_protection.lead_activities[]
) IS
'Logs, and by the log''s trigger publishes, what happened to activities of an adopted table: reason null, one event '
'for each lead that it moved; else one for each activity. Internal.';
