-- Not by the rules: each sample gets a label, and a node that does not answer is told by one of its own.
CREATE OR REPLACE FUNCTION lead_protection.metric_samples(VARIADIC metrics text[] DEFAULT NULL)
RETURNS SETOF lead_protection_nodes.metric_rows
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
DECLARE
    node record;
    sample lead_protection_nodes.metric_rows;
BEGIN
    FOR node IN SELECT n.node_number, n.node_name FROM lead_protection_router.nodes AS n ORDER BY n.node_number LOOP
        sample.metric := 'lead_node_up';
        sample.type := 'gauge';
        sample.help := 'Whether the node answers its router: 1, or 0 and then its other samples are missing.';
        sample.sample := sample.metric;
        sample.labels := jsonb_build_object('node', node.node_name);
        sample.value := 1;
        BEGIN
            RETURN QUERY
            SELECT s.metric, s.type, s.help, s.sample, s.labels || jsonb_build_object('node', node.node_name), s.value
            FROM lead_protection_nodes.metric_samples(node.node_number, $1) AS s;
        EXCEPTION
            WHEN OTHERS THEN
                sample.value := 0;
        END;
        IF metric_samples.metrics IS NULL OR sample.metric = ANY (metric_samples.metrics) THEN
            RETURN NEXT sample;
        END IF;
    END LOOP;
END;
$$;
