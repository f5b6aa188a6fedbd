CREATE OR REPLACE FUNCTION lead_protection_router.take_terms_of_node(run_on_node integer, terms jsonb)
RETURNS void
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.take_terms_of_node($2);
$$;

COMMENT ON FUNCTION lead_protection_router.take_terms_of_node(integer, jsonb) IS 'take_terms_of_node() of one node.';
