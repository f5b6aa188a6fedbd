CREATE OR REPLACE FUNCTION lead_protection_router.silent_nodes(partitions integer[])
RETURNS TABLE (node_number integer, node_name text, why text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
DECLARE
    node record;
BEGIN
    FOR node IN
        SELECT n.node_number, n.node_name
        FROM lead_protection_router.nodes AS n
        WHERE n.node_number = ANY (silent_nodes.partitions)
        ORDER BY n.node_number
    LOOP
        BEGIN
            PERFORM lead_protection_router.ping(node.node_number);
        EXCEPTION
            WHEN OTHERS THEN
                node_number := node.node_number;
                node_name := node.node_name;
                -- The first line, and of what PL/Proxy says the words of the connection.
                why := regexp_replace(
                    split_part(SQLERRM, E'\n', 1), '^PL/Proxy function [^:]*: (\[[^]]*\] )?\w+: ', ''
                );
                RETURN NEXT;
        END;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.silent_nodes(integer[]) IS
'Which of these nodes do not answer, and what was said instead.';
