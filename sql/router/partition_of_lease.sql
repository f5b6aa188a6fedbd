CREATE OR REPLACE FUNCTION lead_protection_router.partition_of_lease(lease_token uuid)
RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- Of an unknown lease any node says what is to be said.
SELECT coalesce(
    (
        SELECT n.node_number
        FROM lead_protection_router.event_leases AS l
        INNER JOIN lead_protection_router.nodes AS n ON l.node_name = n.node_name
        WHERE l.lease_token = partition_of_lease.lease_token
    ),
    (SELECT min(n.node_number) FROM lead_protection_router.nodes AS n)
)
$$;

COMMENT ON FUNCTION lead_protection_router.partition_of_lease(uuid) IS 'The number of the node that gave a lease.';
