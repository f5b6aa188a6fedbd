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
