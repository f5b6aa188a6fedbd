CREATE OR REPLACE FUNCTION lead_protection_router.node_of(lead_id bigint)
RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT n.node_name
    FROM lead_protection_router.nodes AS n
    WHERE n.node_number = lead_protection_router.partition_of(node_of.lead_id)
);

COMMENT ON FUNCTION lead_protection_router.node_of(bigint) IS
'The name of the node that has a lead, or would get it. Null: there is no node yet.';
