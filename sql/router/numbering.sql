CREATE OR REPLACE FUNCTION lead_protection_router.number_node(run_on_node integer)
RETURNS void
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.number_node($1);
$$;

COMMENT ON FUNCTION lead_protection_router.number_node(integer) IS 'number_node() of that node, with its number.';

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

CREATE OR REPLACE FUNCTION lead_protection_router.catalog_of_node(run_on_node integer)
RETURNS jsonb
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.catalog_of_node();
$$;

COMMENT ON FUNCTION lead_protection_router.catalog_of_node(integer) IS 'catalog_of_node() of that node.';
