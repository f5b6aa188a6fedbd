-- What each node counts for itself is left out: which transaction wrote a log row, and the place of an event among all
-- events of the node. The order of a lead's events is that of the list.
CREATE OR REPLACE FUNCTION lead_protection.packed_leads(lead_ids bigint[])
RETURNS TABLE (lead_id bigint, packed jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
SET enable_seqscan = off SET jit = off
AS $$
-- What is executed is made of lead_tables().
-- @plpgsql_check_options: security_warnings = off, extra_warnings = off
DECLARE
    query CONSTANT text := (
        SELECT
            string_agg(
                format(
                    'SELECT %1$s AS lead_id, %2$L AS name, jsonb_agg(to_jsonb(t) - ''{transaction_id,sequence_number}'''
                    '::text[] ORDER BY %3$s) AS found FROM lead_protection.%2$I AS t WHERE %4$s GROUP BY 1',
                    t.lead_of, t.table_name, t.sorted_by, t.found_by
                ),
                ' UNION ALL '
            )
        FROM lead_protection.lead_tables() AS t
    );
BEGIN
    RETURN QUERY EXECUTE
        'SELECT r.lead_id, jsonb_object_agg(r.name, r.found) FROM (' || query || $more$
            UNION ALL
            -- What the answers of bulk requests are answers to, so that a repeated one is known.
            SELECT a.lead_id, 'bulk_hold_requests', jsonb_agg(to_jsonb(q) ORDER BY q.request_key)
            FROM lead_protection.bulk_hold_results AS a
            INNER JOIN lead_protection.bulk_hold_requests AS q ON a.request_key = q.request_key
            WHERE a.lead_id = ANY($1)
            GROUP BY 1
            UNION ALL
            -- The terms that the lead is and was under, to be compared.
            SELECT v.lead_id, 'protection_policies', jsonb_agg(DISTINCT to_jsonb(p) - 'is_default')
            FROM (
                SELECT l.id AS lead_id, l.policy_id FROM lead_protection.leads AS l WHERE l.id = ANY($1)
                UNION
                SELECT h.lead_id, h.policy_id FROM lead_protection.lead_history AS h WHERE h.lead_id = ANY($1)
            ) AS v
            INNER JOIN lead_protection.protection_policies AS p ON v.policy_id = p.id
            GROUP BY 1
        ) AS r GROUP BY 1
        $more$
    USING packed_leads.lead_ids;
END;
$$;

COMMENT ON FUNCTION lead_protection.packed_leads(bigint[]) IS
'All rows of each of the leads as one object: a list for each table of lead_tables() that has any, the bulk requests '
'that they were part of, and the policies that the lead is or was under. The same on any node that has the same rows. '
'Internal.';
