CREATE OR REPLACE FUNCTION lead_protection_router.bring_in_step()
RETURNS TABLE (node_name text, differs text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    terms jsonb;
    node record;
BEGIN
    FOR node IN
        SELECT n.node_number, o.differs
        FROM lead_protection_router.nodes_out_of_step() AS o
        INNER JOIN lead_protection_router.nodes AS n ON o.node_name = n.node_name
        ORDER BY n.node_number
    LOOP
        terms := coalesce(
            terms, lead_protection_router.terms_of_node(lead_protection_router.first_partition(), false)
        );
        PERFORM lead_protection_router.take_terms_of_node(
            node.node_number, CASE WHEN 'calendar_days' = ANY (node.differs) THEN terms ELSE terms - 'calendar_days' END
        );
    END LOOP;
    IF terms IS NOT NULL THEN
        RETURN QUERY SELECT o.* FROM lead_protection_router.nodes_out_of_step() AS o;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.bring_in_step() IS
'Gives all nodes the terms of the first one. Returns what differs after that: no row, or what was made on a node and '
'not through the router. Repeated: nothing changes. An error of PL/Proxy if a node does not answer: those before '
'it are in step then.';
