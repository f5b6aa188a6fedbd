CREATE OR REPLACE FUNCTION lead_protection_router.number_node(run_on_node integer)
RETURNS void
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.number_node($1);
$$;

COMMENT ON FUNCTION lead_protection_router.number_node(integer) IS 'number_node() of that node, with its number.';
