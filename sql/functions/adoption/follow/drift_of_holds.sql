CREATE OR REPLACE FUNCTION lead_protection.drift_of_holds(
    adoption lead_protection.adoptions, but_keys text[]
)
RETURNS TABLE (row_key text, lead_key text, finding text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT
    coalesce(r.row_key, a.row_key),
    coalesce(r.lead_key, a.lead_key),
    CASE
        WHEN a.row_key IS NULL THEN 'the row was not taken over'
        WHEN r.row_key IS NULL THEN 'the row is gone'
        ELSE 'the row has changed'
    END
FROM lead_protection.read_adopted_rows(drift_of_holds.adoption, but_keys => drift_of_holds.but_keys) AS r
FULL JOIN (
    SELECT x.*, coalesce(l.lead_key, l.id::text) AS lead_key, h.voided_at
    FROM lead_protection.adopted_holds AS x
    INNER JOIN lead_protection.leads AS l ON x.lead_id = l.id
    INNER JOIN lead_protection.lead_holds AS h ON x.hold_id = h.id
    WHERE x.adoption_id = drift_of_holds.adoption.id
) AS a ON r.lead_key = a.lead_key AND r.row_key = a.row_key
WHERE
    coalesce(r.row_key, a.row_key) <> ALL(drift_of_holds.but_keys)
    AND CASE
        WHEN a.row_key IS NULL THEN r.started_at IS NOT NULL
        WHEN r.row_key IS NULL THEN a.started_at IS NOT NULL
        ELSE
            (a.started_at, a.ended_at, a.reason, a.user_key)
            IS DISTINCT FROM (r.started_at, r.ended_at, r.label, r.user_key)
    END
$$;

COMMENT ON FUNCTION lead_protection.drift_of_holds(lead_protection.adoptions, text[]) IS
'The rows of an adopted table of holds that are out of step; but_keys: those are not looked at. Internal: '
'find_adoption_drift() calls it.';
