-- The router's own objects, in an order in which each finds what it needs. lead-protection router apply loads them, and
-- after them what it makes from the catalog of a node.
\ir nodes.sql
\ir slots.sql
\ir moved_leads.sql
\ir event_leases.sql
\ir cluster_version.sql
\ir lead_ids.sql
\ir get_cluster_version.sql
\ir get_cluster_partitions.sql
\ir get_cluster_config.sql
\ir slot_of.sql
\ir slot_of_key.sql
\ir partition_of.sql
\ir node_of.sql
\ir all_partitions.sql
\ir ping.sql
\ir silent_nodes.sql
\ir pass_on.sql
\ir draw_lead_id.sql
\ir partition_of_hold.sql
\ir numbering.sql
\ir terms.sql
\ir refuse_here.sql
