CREATE OR REPLACE FUNCTION lead_protection.bulk_answers(request_key text, lead_ids bigint[])
RETURNS SETOF lead_protection.bulk_hold_results
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Planned for the list that is given.
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT a.*
    FROM (
        SELECT r.*
        FROM lead_protection.bulk_hold_results AS r
        WHERE r.request_key = bulk_answers.request_key
        UNION ALL
        SELECT
            q.request_key, g.lead_id, NULL, q.asked ->> 'action', 'refused', 'LP002', 'the lead is unknown', NULL,
            q.decided_at, q.actor_id
        FROM lead_protection.bulk_hold_requests AS q
        CROSS JOIN unnest(bulk_answers.lead_ids) AS g (lead_id)
        WHERE
            q.request_key = bulk_answers.request_key
            AND NOT EXISTS (
                SELECT FROM lead_protection.bulk_hold_results AS k
                WHERE k.request_key = q.request_key AND k.lead_id = g.lead_id
            )
    ) AS a
    ORDER BY a.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.bulk_answers(text, bigint[]) IS
'The answers of a bulk request, in the order of the leads: those that are kept and, of a list (lead_ids; null: it was '
'no list), that the others were unknown. Internal.';
