CREATE TABLE IF NOT EXISTS lead_protection_router.event_leases (
    lease_token uuid CONSTRAINT event_leases_pkey PRIMARY KEY,
    node_name text NOT NULL CONSTRAINT event_leases_node_known REFERENCES lead_protection_router.nodes,
    leased_until timestamptz NOT NULL
);

COMMENT ON TABLE lead_protection_router.event_leases IS
'Which node handed out the events under a lease: acknowledge_events() and fail_events() go there. A row is deleted a '
'day after its lease ran out.';
COMMENT ON COLUMN lead_protection_router.event_leases.lease_token IS 'The lease, as claim_events() returned it.';
COMMENT ON COLUMN lead_protection_router.event_leases.node_name IS 'The node.';
COMMENT ON COLUMN lead_protection_router.event_leases.leased_until IS 'How long the lease lasts.';
