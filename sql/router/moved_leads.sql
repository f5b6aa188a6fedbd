CREATE TABLE IF NOT EXISTS lead_protection_router.moved_leads (
    lead_id bigint CONSTRAINT moved_leads_pkey PRIMARY KEY,
    node_name text NOT NULL CONSTRAINT moved_leads_node_known REFERENCES lead_protection_router.nodes
);

COMMENT ON TABLE lead_protection_router.moved_leads IS
'Leads that are on another node already while their slot is still on its way; empty when no slot moves.';
COMMENT ON COLUMN lead_protection_router.moved_leads.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection_router.moved_leads.node_name IS 'The node that has it now.';
