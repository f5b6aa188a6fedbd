CREATE OR REPLACE FUNCTION lead_protection_router.terms_of_node(run_on_node integer, to_compare boolean)
RETURNS jsonb
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.terms_of_node($2);
$$;

COMMENT ON FUNCTION lead_protection_router.terms_of_node(integer, boolean) IS 'terms_of_node() of one node.';
