-- PL/pgSQL, whose sessions keep the plan: as SQL it would be planned with each call that it is in.
CREATE OR REPLACE FUNCTION lead_protection_router.partition_of(lead_id bigint)
RETURNS integer
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT n.node_number
        FROM lead_protection_router.nodes AS n
        WHERE n.node_name = coalesce(
            (SELECT m.node_name FROM lead_protection_router.moved_leads AS m WHERE m.lead_id = partition_of.lead_id),
            (
                SELECT s.node_name
                FROM lead_protection_router.slots AS s
                -- Nobody's id goes where slot 0 is, and is refused there.
                WHERE s.slot = coalesce(lead_protection_router.slot_of(partition_of.lead_id), 0)
            )
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection_router.partition_of(bigint) IS
'The number of the node that has a lead, or would get it. Its snapshot is that of the query: in a transaction at '
'REPEATABLE READ it does not see that a lead has moved since.';
