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

CREATE OR REPLACE FUNCTION lead_protection_router.ping_all(run_on_nodes integer[])
RETURNS SETOF boolean
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
SPLIT run_on_nodes;
RUN ON run_on_nodes;
SELECT true;
$$;

COMMENT ON FUNCTION lead_protection_router.ping_all(integer[]) IS
'Asks these nodes whether they answer, before something is done on several: an error of PL/Proxy if one does not.';
