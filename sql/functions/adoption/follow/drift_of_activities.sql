CREATE OR REPLACE FUNCTION lead_protection.drift_of_activities(
    adoption lead_protection.adoptions, but_keys text[]
)
RETURNS TABLE (row_key text, lead_key text, finding text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT
    coalesce(r.row_key, a.row_key),
    coalesce(r.lead_key, a.lead_key),
    CASE
        WHEN a.id IS NULL THEN 'the row was not taken over'
        WHEN r.row_key IS NULL THEN 'the row is gone'
        ELSE 'the row has changed'
    END
FROM (
    SELECT
        n.*,
        lead_protection.adopted_user_id(drift_of_activities.adoption.user_type, n.user_key) AS user_id
    FROM lead_protection.read_adopted_rows(
        drift_of_activities.adoption, but_keys => drift_of_activities.but_keys
    ) AS n
) AS r
FULL JOIN (
    SELECT
        x AS activity, x.id, x.deleted_at, x.user_id, x.kind, coalesce(l.lead_key, l.id::text) AS lead_key,
        substr(
            x.activity_key, length(lead_protection.adopted_activity_key(drift_of_activities.adoption.id, '')) + 1
        ) AS row_key
    FROM lead_protection.lead_activities AS x
    INNER JOIN lead_protection.leads AS l ON x.lead_id = l.id
    WHERE starts_with(
        x.activity_key, lead_protection.adopted_activity_key(drift_of_activities.adoption.id, '')
    )
) AS a ON r.lead_key = a.lead_key AND r.row_key = a.row_key
WHERE
    coalesce(r.row_key, a.row_key) <> ALL(drift_of_activities.but_keys)
    AND CASE
        WHEN a.id IS NULL THEN true
        WHEN r.row_key IS NULL THEN a.deleted_at IS NULL
        ELSE
            a.deleted_at IS NOT NULL OR a.user_id IS DISTINCT FROM r.user_id OR a.kind <> r.label
            OR NOT lead_protection.is_instant_of_activity(a.activity, r.started_at)
    END
$$;

COMMENT ON FUNCTION lead_protection.drift_of_activities(lead_protection.adoptions, text[]) IS
'The rows of an adopted table of activities that are out of step; but_keys: those are not looked at. Internal: '
'find_adoption_drift() calls it.';
