CREATE OR REPLACE FUNCTION lead_protection_router.last_lead(run_on_node integer)
RETURNS bigint
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT max(l.id) FROM lead_protection.leads AS l;
$$;

COMMENT ON FUNCTION lead_protection_router.last_lead(integer) IS
'The greatest id of a lead of that node; null: it has none.';
