CREATE OR REPLACE FUNCTION lead_protection_router.terms_of_node(run_on_node integer, to_compare boolean)
RETURNS jsonb
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.terms_of_node($2);
$$;

COMMENT ON FUNCTION lead_protection_router.terms_of_node(integer, boolean) IS 'terms_of_node() of one node.';

CREATE OR REPLACE FUNCTION lead_protection_router.take_terms_of_node(run_on_node integer, terms jsonb)
RETURNS void
LANGUAGE plproxy
AS $$
CLUSTER 'nodes';
RUN ON run_on_node;
SELECT lead_protection.take_terms_of_node($2);
$$;

COMMENT ON FUNCTION lead_protection_router.take_terms_of_node(integer, jsonb) IS 'take_terms_of_node() of one node.';

CREATE OR REPLACE FUNCTION lead_protection_router.first_partition()
RETURNS integer
LANGUAGE sql STABLE
RETURN (SELECT min(n.node_number) FROM lead_protection_router.nodes AS n);

COMMENT ON FUNCTION lead_protection_router.first_partition() IS
'The number of the first node, on which terms are made that all others take from it.';

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
'The nodes whose terms are not those of the first node, with the names of the tables that differ; code: another version '
'of Lead Protection. No row: all agree. An error of PL/Proxy if a node does not answer.';

CREATE OR REPLACE FUNCTION lead_protection_router.require_agreement()
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text;
BEGIN
    -- One at a time, to the end of the transaction.
    PERFORM pg_advisory_xact_lock('lead_protection_router.nodes'::regclass::integer, 0);
    SELECT string_agg(format('%s (%s)', n.node_name, array_to_string(n.differs, ', ')), '; ') INTO found
    FROM lead_protection_router.nodes_out_of_step() AS n;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'the nodes do not agree'
            USING ERRCODE = 'LP131',
            DETAIL = format('Other than on the first node: %s.', found),
            HINT = 'SELECT * FROM lead_protection_router.bring_in_step() gives all of them what the first node has. '
            'Where the code differs, apply the same version on all, and lead-protection router apply.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.require_agreement() IS
'Raises LP131 unless all nodes have the same terms and the same version, LP130 or an error of PL/Proxy if one does not '
'answer. Whoever else changes terms through this router waits for the end of the transaction.';

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
'Gives all nodes the terms of the first one. Returns what differs after that: no row, or what was made on a node and not '
'through the router. Repeated: nothing changes. An error of PL/Proxy if a node does not answer: those before it are in '
'step then.';
