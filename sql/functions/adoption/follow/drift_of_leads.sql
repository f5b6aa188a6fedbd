CREATE OR REPLACE FUNCTION lead_protection.drift_of_leads(
    adoption lead_protection.adoptions, but_keys text[]
)
RETURNS TABLE (row_key text, lead_key text, finding text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT
    coalesce(r.row_key, a.row_key),
    coalesce(r.row_key, a.row_key),
    CASE
        WHEN a.row_key IS NULL THEN 'the row was not taken over'
        WHEN r.row_key IS NULL THEN 'the row is gone'
        ELSE 'the row has changed'
    END
FROM (
    SELECT
        n.*,
        lead_protection.adopted_user_id(drift_of_leads.adoption.user_type, n.user_key) AS user_id
    FROM lead_protection.read_adopted_rows(
        drift_of_leads.adoption, but_keys => drift_of_leads.but_keys
    ) AS n
) AS r
FULL JOIN (
    SELECT
        coalesce(x.row_key, x.lead_id::text) AS row_key, x.user_id, x.started_at, x.outcome, x.policy_name, l.closed_at
    FROM lead_protection.adopted_leads AS x
    INNER JOIN lead_protection.leads AS l ON x.lead_id = l.id
    WHERE x.adoption_id = drift_of_leads.adoption.id
) AS a ON r.row_key = a.row_key
WHERE
    coalesce(r.row_key, a.row_key) <> ALL(drift_of_leads.but_keys)
    AND CASE
        WHEN a.row_key IS NULL THEN true
        WHEN r.row_key IS NULL THEN a.outcome IS DISTINCT FROM 'DELETED'
        ELSE
            a.outcome IS DISTINCT FROM r.outcome
            -- Of a closed lead, closed there or here, they are followed when it is opened again.
            OR (
                r.outcome IS NULL AND a.closed_at IS NULL
                AND (
                    (a.user_id, a.started_at, a.policy_name) IS DISTINCT FROM (r.user_id, r.started_at, r.label)
                    -- Somebody who has no number yet.
                    OR (r.user_key IS NULL) <> (r.user_id IS NULL)
                )
            )
    END
$$;

COMMENT ON FUNCTION lead_protection.drift_of_leads(lead_protection.adoptions, text[]) IS
'The rows of an adopted table of leads that are out of step; but_keys: those are not looked at. Internal: '
'find_adoption_drift() calls it.';
