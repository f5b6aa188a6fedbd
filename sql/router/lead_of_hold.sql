CREATE OR REPLACE FUNCTION lead_protection_router.lead_of_hold(run_on_nodes integer[], hold_id bigint)
RETURNS SETOF bigint
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
SPLIT run_on_nodes;
RUN ON run_on_nodes;
SELECT h.lead_id FROM lead_protection.lead_holds AS h WHERE h.id = $2;
$$;

COMMENT ON FUNCTION lead_protection_router.lead_of_hold(integer[], bigint) IS
'The lead of a hold, if one of these nodes has it.';
