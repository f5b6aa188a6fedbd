CREATE OR REPLACE FUNCTION lead_protection.leads_with_old_texts(lead_ids bigint[] DEFAULT NULL)
RETURNS bigint[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT coalesce(array_agg(l.id ORDER BY l.id), '{}')
FROM lead_protection.leads AS l
INNER JOIN lead_protection.protection_policies AS p ON l.policy_id = p.id
INNER JOIN lead_protection.lead_clocks AS c ON l.id = c.lead_id
WHERE
    p.texts_kept_days IS NOT NULL
    AND (l.id = ANY(leads_with_old_texts.lead_ids) OR leads_with_old_texts.lead_ids IS NULL)
    AND CASE
        WHEN l.closed_at IS NOT NULL THEN l.closed_at
        -- Nobody's since then.
        WHEN l.user_id IS NULL THEN l.created_at
        ELSE c.expired_at
    END < now() - make_interval(hours => 24 * p.texts_kept_days)
    AND (
        EXISTS (
            SELECT
            FROM lead_protection.protection_log AS g
            WHERE
                g.lead_id = l.id AND g.event_type <> 'lead.texts.erased'
                AND (g.reason IS NOT NULL OR g.details ? 'evidence')
        )
        OR EXISTS (
            SELECT
            FROM lead_protection.lead_holds AS h
            WHERE h.lead_id = l.id AND h.reason_code = 'OTHER' AND h.reason <> '(erased)'
        )
        OR EXISTS (
            SELECT FROM lead_protection.lead_extensions AS x WHERE x.lead_id = l.id AND x.reason <> '(erased)'
        )
    )
$$;

COMMENT ON FUNCTION lead_protection.leads_with_old_texts(bigint[]) IS
'Those of the leads (null: of all) that were closed, expired or given back longer ago than their policy keeps texts '
'(texts_kept_days), and that have texts. In order. Internal: run_job_step() calls it.';
