-- Partitions are nodes, of which there may be any number. No query_timeout: PL/Proxy looks at it only when something
-- comes in, so that of two nodes the slower one would fail, and one alone never. The limit is statement_timeout.
CREATE OR REPLACE FUNCTION plproxy.get_cluster_config(IN cluster_name text, OUT key text, OUT val text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $$
VALUES ('modular_mapping', '1')
$$;

COMMENT ON FUNCTION plproxy.get_cluster_config(text) IS 'The settings of the cluster, for PL/Proxy.';
