CREATE OR REPLACE FUNCTION lead_protection.log_ends(lead_ids bigint[])
RETURNS TABLE (lead_id bigint, log_rows integer, log_hash bytea, is_as_sealed boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
SELECT
    c.lead_id,
    max(c.log_number),
    (array_agg(c.row_hash ORDER BY c.log_number DESC))[1],
    -- Each number once from 1 on, each leaf of a row that is here, and none that says something else.
    count(*) = max(c.log_number)
    AND count(*) FILTER (WHERE f.row_hash = c.row_hash)
    = (SELECT count(*) FROM lead_protection.log_leaves AS s WHERE s.lead_id = c.lead_id)
FROM (
    SELECT
        g.lead_id,
        g.log_number,
        lead_protection.log_chain(NULL, lead_protection.log_row_digest(g)) OVER (
            PARTITION BY g.lead_id ORDER BY g.log_number
        ) AS row_hash
    FROM lead_protection.protection_log AS g
    WHERE g.lead_id = ANY(log_ends.lead_ids)
) AS c
LEFT JOIN lead_protection.log_leaves AS f ON c.lead_id = f.lead_id AND c.log_number = f.log_number
GROUP BY c.lead_id
$$;

COMMENT ON FUNCTION lead_protection.log_ends(bigint[]) IS
'The number and the hash of the last log row of each of the leads, and whether the chain is whole and each row says '
'what it said when it was sealed. No row for a lead without a log. Internal.';
