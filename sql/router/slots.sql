CREATE TABLE IF NOT EXISTS lead_protection_router.slots (
    slot integer CONSTRAINT slots_pkey PRIMARY KEY CONSTRAINT slots_in_range CHECK (slot BETWEEN 0 AND 63),
    node_name text NOT NULL CONSTRAINT slots_node_known REFERENCES lead_protection_router.nodes
);

COMMENT ON TABLE lead_protection_router.slots IS
'Which node has the leads of each slot, see slot_of(). While the leads of a slot move, the row names the node that '
'they leave; it changes at the end.';
COMMENT ON COLUMN lead_protection_router.slots.slot IS 'The slot.';
COMMENT ON COLUMN lead_protection_router.slots.node_name IS 'The node that has it.';
