CREATE OR REPLACE FUNCTION lead_protection_router.lead_of_request(run_on_nodes integer[], request_key text)
RETURNS SETOF bigint
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
SPLIT run_on_nodes;
RUN ON run_on_nodes;
SELECT l.id FROM lead_protection.leads AS l WHERE l.request_key = $2;
$$;

COMMENT ON FUNCTION lead_protection_router.lead_of_request(integer[], text) IS
'The lead that a request entered, if one of these nodes has it.';
