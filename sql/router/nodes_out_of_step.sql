-- With the rights of the router's owner, who is one on the nodes, too.
CREATE OR REPLACE FUNCTION lead_protection_router.nodes_out_of_step()
RETURNS TABLE (node_name text, differs text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    first_terms CONSTANT jsonb := lead_protection_router.terms_of_node(lead_protection_router.first_partition(), true);
    node record;
    terms jsonb;
BEGIN
    FOR node IN
        SELECT n.node_number, n.node_name
        FROM lead_protection_router.nodes AS n
        WHERE n.node_number > lead_protection_router.first_partition()
        ORDER BY n.node_number
    LOOP
        terms := lead_protection_router.terms_of_node(node.node_number, true);
        node_name := node.node_name;
        differs := ARRAY(
            SELECT f.key
            FROM jsonb_each(first_terms) AS f
            WHERE f.value IS DISTINCT FROM terms -> f.key
            ORDER BY f.key
        );
        IF differs <> '{}' THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.nodes_out_of_step() IS
'The nodes whose terms are not those of the first node, with the names of the tables that differ; code: another '
'version of Lead Protection. No row: all agree. An error of PL/Proxy if a node does not answer.';
