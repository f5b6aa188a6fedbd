CREATE OR REPLACE FUNCTION lead_protection_router.note_lease(
    lease_token uuid, partition_number integer, leased_until timestamptz
)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DELETE FROM lead_protection_router.event_leases AS l
WHERE l.leased_until < now() - INTERVAL '1 day';
INSERT INTO lead_protection_router.event_leases (lease_token, node_name, leased_until)
SELECT note_lease.lease_token, n.node_name, note_lease.leased_until
FROM lead_protection_router.nodes AS n
WHERE n.node_number = note_lease.partition_number
$$;

COMMENT ON FUNCTION lead_protection_router.note_lease(uuid, integer, timestamptz) IS
'Notes which node handed out events, and forgets leases that ended a day ago.';
