CREATE TABLE IF NOT EXISTS lead_protection_router.nodes (
    node_name text CONSTRAINT nodes_pkey PRIMARY KEY
    CONSTRAINT nodes_name_plain CHECK (node_name ~ '^[a-z][a-z0-9_]{0,19}$'),
    node_number integer NOT NULL CONSTRAINT nodes_number_once UNIQUE
    CONSTRAINT nodes_number_in_range CHECK (node_number BETWEEN 0 AND 8191),
    connection text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

COMMENT ON TABLE lead_protection_router.nodes IS
'The nodes: each a whole installation of Lead Protection. Written by lead-protection router add-node and repoint.';
COMMENT ON COLUMN lead_protection_router.nodes.node_name IS 'The name of the node, as lists show it.';
COMMENT ON COLUMN lead_protection_router.nodes.node_number IS
'The number of the node: its partition for PL/Proxy, and the top of the ids that it draws, from node_number * 2^40 on.';
COMMENT ON COLUMN lead_protection_router.nodes.connection IS
'How to reach it, as a conninfo string without a password. Without a user the role that calls the router is taken.';
COMMENT ON COLUMN lead_protection_router.nodes.added_at IS 'Since when the router knows it.';
