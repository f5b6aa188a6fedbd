CREATE OR REPLACE FUNCTION lead_protection_router.first_partition()
RETURNS integer
LANGUAGE sql STABLE
RETURN (SELECT min(n.node_number) FROM lead_protection_router.nodes AS n);

COMMENT ON FUNCTION lead_protection_router.first_partition() IS
'The number of the first node, on which terms are made that all others take from it.';
