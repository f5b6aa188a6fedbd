-- The planner puts the body into the caller's query: it has no SET clause and is no SECURITY DEFINER.
CREATE OR REPLACE FUNCTION lead_protection_router.partition_of(lead_id bigint)
RETURNS integer
LANGUAGE sql STABLE
RETURN coalesce(
    (
        SELECT n.node_number
        FROM lead_protection_router.moved_leads AS m
        INNER JOIN lead_protection_router.nodes AS n ON m.node_name = n.node_name
        WHERE m.lead_id = partition_of.lead_id
    ),
    (
        SELECT n.node_number
        FROM lead_protection_router.slots AS s
        INNER JOIN lead_protection_router.nodes AS n ON s.node_name = n.node_name
        -- Nobody's id goes where slot 0 is, and is refused there.
        WHERE s.slot = coalesce(lead_protection_router.slot_of(partition_of.lead_id), 0)
    )
);

COMMENT ON FUNCTION lead_protection_router.partition_of(bigint) IS
'The number of the node that has a lead, or would get it. Its snapshot is that of the query: in a transaction at '
'REPEATABLE READ it does not see that a lead has moved since.';
