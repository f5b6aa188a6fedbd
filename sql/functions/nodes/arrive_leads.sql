-- The setting only makes the triggers look: what they go by is the row of lead_moves that is written here.
CREATE OR REPLACE FUNCTION lead_protection.arrive_leads(moves jsonb)
RETURNS TABLE (lead_id bigint, move integer, digest bytea)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
-- What is executed is made of lead_tables().
-- @plpgsql_check_options: security_warnings = off
DECLARE
    ids bigint [];
    packed jsonb;
    differs record;
BEGIN
    -- Before any row, as register_event_consumer() does.
    LOCK TABLE lead_protection.outbox_events IN ROW EXCLUSIVE MODE;
    WITH arrived AS (
        INSERT INTO lead_protection.lead_moves AS m (
            lead_id, move, is_here, from_node, to_node, departed_at, log_rows, log_hash, log_chained_at, digest, packed
        )
        SELECT
            g.lead_id, g.move, true, g.from_node, g.to_node, g.departed_at, g.log_rows, g.log_hash, g.log_chained_at,
            g.digest, g.packed
        FROM jsonb_populate_recordset(NULL::lead_protection.lead_moves, arrive_leads.moves) AS g
        ORDER BY g.lead_id
        ON CONFLICT (lead_id) DO UPDATE SET (
            move, is_here, from_node, to_node, departed_at, log_rows, log_hash, log_chained_at, request_key, hold_ids,
            digest, packed
        ) = (
            excluded.move, excluded.is_here, excluded.from_node, excluded.to_node, excluded.departed_at,
            excluded.log_rows, excluded.log_hash, excluded.log_chained_at, excluded.request_key, excluded.hold_ids,
            excluded.digest, excluded.packed
        )
        WHERE m.move < excluded.move
        RETURNING m.lead_id, m.packed
    )

    SELECT array_agg(a.lead_id), jsonb_agg(a.packed) INTO ids, packed FROM arrived AS a;

    SELECT p.term ->> 'name' AS name, p.term ->> 'version' AS version INTO differs
    FROM jsonb_path_query(packed, '$[*].protection_policies[*]') AS p (term)
    WHERE NOT EXISTS (
        SELECT FROM lead_protection.protection_policies AS h
        WHERE
            h.id = (p.term ->> 'id')::bigint
            AND to_jsonb(h) - '{is_default,created_at}'::text [] = p.term - 'created_at'
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'this node does not have version % of policy %', differs.version, differs.name
            USING ERRCODE = 'LP137',
            DETAIL = 'A lead that is or was under it would have other dates here.',
            HINT = 'Bring the nodes in step, and go on.';
    END IF;
    SELECT p.delivery ->> 'consumer_name' AS name INTO differs
    FROM jsonb_path_query(packed, '$[*].event_deliveries[*] ? (@.status == "pending")') AS p (delivery)
    WHERE NOT EXISTS (
        SELECT FROM lead_protection.event_consumers AS c WHERE c.consumer_name = p.delivery ->> 'consumer_name'
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'this node does not have consumer %', differs.name
            USING ERRCODE = 'LP137',
            DETAIL = 'Events that wait for it would never be handed out here.',
            HINT = 'Bring the nodes in step, and go on.';
    END IF;

    -- They get new places among the events of this node, in their order: what happens next comes after them.
    INSERT INTO lead_protection.outbox_events (id, aggregatetype, aggregateid, type, payload, "timestamp")
    SELECT e.id, e.aggregatetype, e.aggregateid, e.type, e.payload, e."timestamp"
    FROM jsonb_path_query(packed, '$[*].outbox_events[*]') WITH ORDINALITY AS p (event, nth)
    CROSS JOIN LATERAL jsonb_populate_record(NULL::lead_protection.outbox_events, p.event) AS e
    ORDER BY p.nth;
    INSERT INTO lead_protection.event_deliveries (
        event_id, consumer_name, lead_id, sequence_number, status, attempts, available_at, lease_token, settled_at,
        error
    )
    SELECT
        d.event_id, d.consumer_name, d.lead_id, e.sequence_number, d.status, d.attempts, d.available_at,
        d.lease_token, d.settled_at, d.error
    FROM jsonb_path_query(packed, '$[*].event_deliveries[*]') AS p (delivery)
    CROSS JOIN LATERAL jsonb_populate_record(NULL::lead_protection.event_deliveries, p.delivery) AS d
    INNER JOIN lead_protection.outbox_events AS e ON d.event_id = e.id;
    INSERT INTO lead_protection.bulk_hold_requests
    SELECT q.*
    FROM jsonb_path_query(packed, '$[*].bulk_hold_requests[*]') AS p (request)
    CROSS JOIN LATERAL jsonb_populate_record(NULL::lead_protection.bulk_hold_requests, p.request) AS q
    ON CONFLICT DO NOTHING;
    PERFORM set_config('lead_protection.leads_arrive', 'on', true);
    -- One statement: at its end the triggers find all facts, and derive the clocks.
    EXECUTE (
        SELECT
            'WITH ' || string_agg(
                format(
                    'i%1$s AS (INSERT INTO lead_protection.%2$I (%3$s) OVERRIDING SYSTEM VALUE SELECT %3$s '
                    'FROM jsonb_path_query($1, ''$[*].%2$s[*]'') AS p (fact) '
                    'CROSS JOIN LATERAL jsonb_populate_record(NULL::lead_protection.%2$I, p.fact) AS r)',
                    t.nth, t.table_name, c.names
                ),
                ', '
            ) || ' SELECT'
        FROM lead_protection.lead_tables() WITH ORDINALITY AS t (table_name, lead_of, found_by, sorted_by, nth)
        CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names
            FROM pg_attribute AS a
            WHERE
                a.attrelid = format('lead_protection.%I', t.table_name)::regclass AND a.attnum > 0
                AND NOT a.attisdropped AND a.attname <> 'transaction_id'
        ) AS c
        WHERE t.table_name NOT IN ('lead_clocks', 'outbox_events', 'event_deliveries')
    )
    USING packed;
    PERFORM set_config('lead_protection.leads_arrive', '', true);

    -- What is here now is compared with what came, clocks and all.
    SELECT m.lead_id, string_agg(k.name, ', ') AS names INTO differs
    FROM lead_protection.lead_moves AS m
    LEFT JOIN lead_protection.packed_leads(ids) AS p ON m.lead_id = p.lead_id
    LEFT JOIN lead_protection.log_ends(ids) AS e ON m.lead_id = e.lead_id
    CROSS JOIN LATERAL (
        SELECT j.name
        FROM jsonb_object_keys(m.packed) AS j (name)
        WHERE
            j.name NOT IN ('protection_policies', 'bulk_hold_requests')
            AND m.packed -> j.name IS DISTINCT FROM p.packed -> j.name
        UNION ALL
        SELECT 'the log as it was sealed' WHERE m.log_hash IS DISTINCT FROM e.log_hash OR NOT e.is_as_sealed
    ) AS k
    WHERE m.lead_id = ANY(ids)
    GROUP BY m.lead_id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'lead % would not be the same here', differs.lead_id
            USING ERRCODE = 'LP138',
            DETAIL = format('It differs in: %s.', differs.names),
            HINT = 'It stays where it was. Compare versions, terms and clocks of the two nodes.';
    END IF;
    UPDATE lead_protection.lead_moves AS m SET packed = NULL WHERE m.lead_id = ANY(ids);

    RETURN QUERY
    SELECT m.lead_id, m.move, m.digest
    FROM jsonb_populate_recordset(NULL::lead_protection.lead_moves, arrive_leads.moves) AS g
    INNER JOIN lead_protection.lead_moves AS m ON g.lead_id = m.lead_id AND g.move <= m.move;
END;
$$;

COMMENT ON FUNCTION lead_protection.arrive_leads(jsonb) IS
'Takes leads in that have departed from another node. moves: a list of the rows that depart_leads() returned there. '
'Ids, instants, the log and the events stay as they were; nothing is logged or published. What is written is read '
'again and compared with what came, and the clocks are derived anew and compared, before it is committed. Returns '
'which move of each lead this node has, with the digest for confirm_departures(). Repeated: the same, and nothing '
'changes. Internal: lead-protection move-slots calls it.
Errors: LP137 a policy or a consumer of another node is missing here, LP138 the lead would not be the same here.';
