CREATE OR REPLACE FUNCTION lead_protection_router.lead_now(lead_id bigint)
RETURNS SETOF lead_protection_nodes.v_user_lead_protection
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON lead_protection_router.partition_of(lead_id);
SELECT * FROM lead_protection.v_user_lead_protection AS v WHERE v.lead_id = $1;
$$;

COMMENT ON FUNCTION lead_protection_router.lead_now(bigint) IS
'The row of v_user_lead_protection of one lead, from its node alone: cheaper than the view, and whatever other nodes '
'do. No row: there is no such lead. An error of PL/Proxy if its node does not answer.';
