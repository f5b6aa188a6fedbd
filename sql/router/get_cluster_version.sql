CREATE OR REPLACE FUNCTION plproxy.get_cluster_version(cluster_name text)
RETURNS integer
LANGUAGE sql STABLE
RETURN (SELECT c.version FROM lead_protection_router.cluster_version AS c);

COMMENT ON FUNCTION plproxy.get_cluster_version(text) IS
'PL/Proxy asks it at each call: a greater number makes a session read the nodes anew. There is one cluster.';
