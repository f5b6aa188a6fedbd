CREATE OR REPLACE FUNCTION lead_protection_router.catalog_of_node(run_on_node integer)
RETURNS jsonb
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.catalog_of_node();
$$;

COMMENT ON FUNCTION lead_protection_router.catalog_of_node(integer) IS 'catalog_of_node() of that node.';
