CREATE OR REPLACE FUNCTION lead_protection_router.ping(run_on_node integer)
RETURNS boolean
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT true;
$$;

COMMENT ON FUNCTION lead_protection_router.ping(integer) IS
'True: the node of that number answers. An error of PL/Proxy if not.';
