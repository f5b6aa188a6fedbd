-- Not by the rules: a batch is of one node, and says of which.
CREATE OR REPLACE FUNCTION lead_protection.claim_events(
    consumer_name text, batch_size integer DEFAULT 100, lease interval DEFAULT INTERVAL '5 minutes'
)
RETURNS TABLE (
    id uuid, aggregatetype text, aggregateid text, type text, payload jsonb, "timestamp" timestamptz,
    sequence_number bigint, attempt integer, lease_token uuid, leased_until timestamptz, node_name text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
#variable_conflict use_column
DECLARE
    node record;
    event record;
    silent integer [] := '{}';
    state text;
    said text;
    detail text;
    hint text;
BEGIN
    -- In another order each time: many sessions claim from all nodes.
    FOR node IN SELECT n.node_number, n.node_name FROM lead_protection_router.nodes AS n ORDER BY random() LOOP
        BEGIN
            FOR event IN SELECT c.* FROM lead_protection_nodes.claim_events(node.node_number, $1, $2, $3) AS c LOOP
                id := event.id;
                aggregatetype := event.aggregatetype;
                aggregateid := event.aggregateid;
                type := event.type;
                payload := event.payload;
                "timestamp" := event."timestamp";
                sequence_number := event.sequence_number;
                attempt := event.attempt;
                leased_until := event.leased_until;
                node_name := node.node_name;
                IF lease_token IS NULL THEN
                    PERFORM lead_protection_router.note_lease(event.lease_token, node.node_number, leased_until);
                END IF;
                lease_token := event.lease_token;
                RETURN NEXT;
            END LOOP;
        EXCEPTION
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS
                    state := RETURNED_SQLSTATE, said := MESSAGE_TEXT, detail := PG_EXCEPTION_DETAIL,
                    hint := PG_EXCEPTION_HINT;
                BEGIN
                    PERFORM lead_protection_router.pass_on(
                        ARRAY[node.node_number], 9, 'fail', state, said, detail, hint
                    );
                EXCEPTION
                    WHEN SQLSTATE 'LP130' THEN
                        silent := silent || node.node_number;
                END;
        END;
        IF lease_token IS NOT NULL THEN
            RETURN;
        END IF;
    END LOOP;
    -- That nothing waits is not known.
    IF silent <> '{}' THEN
        PERFORM lead_protection_router.pass_on(silent, 9, 'fail', state, said, detail, hint);
    END IF;
END;
$$;
