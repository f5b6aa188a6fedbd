CREATE OR REPLACE FUNCTION lead_protection.health_now()
RETURNS TABLE (
    check_name text, status text, found text, since timestamptz, runbook text, amount bigint, first_command text,
    node_name text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
#variable_conflict use_column
DECLARE
    node record;
BEGIN
    FOR node IN SELECT n.node_number, n.node_name FROM lead_protection_router.nodes AS n ORDER BY n.node_number LOOP
        BEGIN
            RETURN QUERY
            SELECT 'node', 'ok', 'answers', NULL::timestamptz, NULL::text, NULL::bigint, NULL::text, node.node_name
            FROM lead_protection_router.ping(node.node_number)
            UNION ALL
            SELECT h.*, node.node_name FROM lead_protection_nodes.health_now(node.node_number) AS h;
        EXCEPTION
            WHEN OTHERS THEN
                RETURN QUERY
                SELECT
                    'node', 'critical', 'does not answer: ' || split_part(SQLERRM, E'\n', 1), NULL::timestamptz,
                    NULL::text, NULL::bigint, NULL::text, node.node_name;
        END;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.health_now() IS
'The health of each node; of one that does not answer, that it does not.';

CREATE OR REPLACE VIEW lead_protection.health AS
SELECT
    h.check_name,
    h.status,
    h.found,
    h.since,
    h.runbook,
    h.amount,
    h.first_command,
    h.node_name
FROM lead_protection.health_now() AS h;

COMMENT ON VIEW lead_protection.health IS
'How things stand: the rows of each node, by its name, after one that says whether it answers.';
