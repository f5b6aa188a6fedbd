CREATE OR REPLACE FUNCTION lead_protection.number_node(node_number integer)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first_id CONSTANT bigint := number_node.node_number::bigint << 40;
    foreign_id bigint;
    sequence_name text;
BEGIN
    IF coalesce(number_node.node_number NOT BETWEEN 0 AND 8191, true) THEN
        RAISE EXCEPTION 'a node cannot have the number %', coalesce(number_node.node_number::text, 'null')
            USING ERRCODE = 'LP134',
            DETAIL = 'Its ids begin at number * 2^40, and must be exact in a program that counts in doubles.',
            HINT = 'Give a number from 0 to 8191 that no other node has.';
    END IF;
    -- Its holds were numbered where their leads were first: who adds a node that has been one may do it again.
    SELECT l.id INTO foreign_id
    FROM lead_protection.leads AS l
    WHERE l.id > 0 AND node_number > 0 AND (
        SELECT last_value FROM lead_protection.outbox_events_sequence_number_seq
    ) < first_id
    LIMIT 1;
    IF foreign_id IS NOT NULL THEN
        RAISE EXCEPTION 'this node has leads already'
            USING ERRCODE = 'LP134',
            DETAIL = format(
                'Such as lead %s. Their holds and events have ids that other nodes may have, too.', foreign_id
            ),
            HINT = 'A database with leads can be the first node, number 0. Add others when they are empty, and move '
                'leads to them.';
    END IF;
    FOREACH sequence_name IN ARRAY ARRAY[
        'leads_id_seq', 'lead_holds_id_seq', 'lead_activities_id_seq', 'lead_extensions_id_seq',
        'lead_expiries_id_seq', 'outbox_events_sequence_number_seq'
    ] LOOP
        EXECUTE format(
            'SELECT setval(%L, $1) FROM lead_protection.%I WHERE last_value < $1',
            'lead_protection.' || sequence_name, sequence_name
        )
        USING first_id;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.number_node(integer) IS
'Lets the ids that this node draws begin beyond node_number * 2^40 (leads, holds, activities, extensions, expiries, '
'the order of events), so that they never meet those of another node when leads move. node_number: 0 to 8191; 0 leaves '
'all as it is. Called by lead-protection router add-node. Repeated: nothing changes.
Errors: LP134 no such number, or the node has leads that were numbered otherwise. Internal.';
