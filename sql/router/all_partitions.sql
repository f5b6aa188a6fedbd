CREATE OR REPLACE FUNCTION lead_protection_router.all_partitions()
RETURNS integer[]
LANGUAGE sql STABLE
RETURN (SELECT array_agg(n.node_number ORDER BY n.node_number) FROM lead_protection_router.nodes AS n);

COMMENT ON FUNCTION lead_protection_router.all_partitions() IS 'The numbers of all nodes, in order.';
