CREATE OR REPLACE FUNCTION lead_protection.seal_over_lead(lead_id bigint)
RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT
        jsonb_build_object(
            'seal', s.number, 'at', lead_protection.instant_text(s.sealed_at), 'tree_size', s.tree_size,
            'root', encode(s.root, 'hex'), 'rows', f.rows
        )
    FROM (
        SELECT max(l.log_number) AS rows
        FROM lead_protection.log_leaves AS l
        WHERE l.lead_id = seal_over_lead.lead_id
    ) AS f
    CROSS JOIN lead_protection.log_seals AS s
    WHERE f.rows IS NOT NULL
    ORDER BY s.number DESC
    LIMIT 1;
END;

COMMENT ON FUNCTION lead_protection.seal_over_lead(bigint) IS
'The newest seal of the log, with the number of the last row of the lead that it covers (rows), as data; null: no row '
'of the lead is sealed. Internal.';
