CREATE OR REPLACE FUNCTION lead_protection_router.partition_of_hold(hold_id bigint)
RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Where the hold was made, and where it is unless its lead has moved.
    home CONSTANT integer := (
        SELECT n.node_number
        FROM lead_protection_router.nodes AS n
        WHERE n.node_number = partition_of_hold.hold_id >> 40
    );
    lead_id bigint;
BEGIN
    IF home IS NOT NULL THEN
        lead_id := (
            SELECT max(l)
            FROM lead_protection_router.lead_of_hold(ARRAY[home], partition_of_hold.hold_id) AS l
        );
    END IF;
    IF lead_id IS NULL THEN
        lead_id := (
            SELECT max(l)
            FROM lead_protection_router.lead_of_hold(
                lead_protection_router.all_partitions(), partition_of_hold.hold_id
            ) AS l
        );
    END IF;
    -- One that no node knows may be between two nodes: the one that made it knows that, and else refuses it.
    IF lead_id IS NULL AND home IS NOT NULL THEN
        RETURN home;
    END IF;
    RETURN lead_protection_router.partition_of(lead_id);
END;
$$;

COMMENT ON FUNCTION lead_protection_router.partition_of_hold(bigint) IS
'The number of the node that has a hold: asks the node that made it, and if its lead has moved, all of them.';
