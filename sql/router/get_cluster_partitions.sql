CREATE OR REPLACE FUNCTION plproxy.get_cluster_partitions(cluster_name text)
RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- A partition for each number, in order. A number that is not given to a node stands for the first one: PL/Proxy asks a
-- node once, however many partitions it is. Of two settings alike libpq takes the last. A host that is gone is given up
-- after seconds: connect_timeout is not for connections that are made like PL/Proxy's.
SELECT
    'application_name=lead-protection-router tcp_user_timeout=5000 keepalives_idle=5 keepalives_interval=1 '
    'keepalives_count=3 ' || coalesce(n.connection, f.connection)
FROM (
    SELECT
        a.connection,
        (SELECT max(b.node_number) FROM lead_protection_router.nodes AS b) AS last_number
    FROM lead_protection_router.nodes AS a
    ORDER BY a.node_number
    LIMIT 1
) AS f
CROSS JOIN LATERAL generate_series(0, f.last_number) AS p (partition_number)
LEFT JOIN lead_protection_router.nodes AS n ON p.partition_number = n.node_number
ORDER BY p.partition_number
$$;

COMMENT ON FUNCTION plproxy.get_cluster_partitions(text) IS
'The connections of the nodes, for PL/Proxy. Whoever may call the router may read them, so they hold no password.';
