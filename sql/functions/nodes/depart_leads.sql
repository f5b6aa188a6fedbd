-- The copy and the end of the rows are one transaction: whoever waited for the lead's lock finds either the lead or
-- where it went. The copy is what the other node takes in, however often that is tried.
CREATE OR REPLACE FUNCTION lead_protection.depart_leads(lead_ids bigint[], from_node text, to_node text)
RETURNS SETOF lead_protection.lead_moves
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
-- What is executed is made of lead_tables().
-- @plpgsql_check_options: security_warnings = off
DECLARE
    chained_at CONSTANT timestamptz := (SELECT s.log_chained_at FROM lead_protection.settings AS s);
    free bigint [];
    events uuid [];
    amiss bigint;
    logged bigint [];
    last_rows integer [];
    last_hashes bytea [];
    departed lead_protection.lead_moves [];
BEGIN
    IF chained_at IS NULL THEN
        RAISE EXCEPTION 'leads cannot leave this node yet'
            USING ERRCODE = 'LP136',
            DETAIL = 'The log has rows from before the chain that are not numbered yet.',
            HINT = 'CALL lead_protection.run_nightly_maintenance() numbers them.';
    END IF;
    -- Before any row, as register_event_consumer() does.
    LOCK TABLE lead_protection.outbox_events IN ROW EXCLUSIVE MODE;
    -- A transaction at REPEATABLE READ that began before does not see that a lead has left: it ends in an error 40001
    -- when it writes to the log, see publish_log_rows().
    UPDATE lead_protection.settings AS s SET only_row = true;

    free := ARRAY(
        SELECT l.id
        FROM lead_protection.leads AS l
        WHERE l.id = ANY(depart_leads.lead_ids)
        ORDER BY l.id
        FOR UPDATE SKIP LOCKED
    );
    events := ARRAY(
        SELECT g.event_id FROM lead_protection.protection_log AS g WHERE g.lead_id = ANY(free)
    );
    -- A consumer that is at work on an event, or operators who replay it, come first: what they hold is locked or
    -- leased, and is missing among what is locked here.
    WITH event AS (
        SELECT e.aggregateid::bigint AS lead_id
        FROM lead_protection.outbox_events AS e
        WHERE e.id = ANY(events)
        FOR UPDATE SKIP LOCKED
    ),

    delivery AS (
        SELECT d.lead_id
        FROM lead_protection.event_deliveries AS d
        WHERE
            d.event_id = ANY(events)
            AND (d.status <> 'pending' OR d.lease_token IS NULL OR d.available_at <= clock_timestamp())
        FOR UPDATE SKIP LOCKED
    )

    SELECT coalesce(array_agg(f.lead_id ORDER BY f.lead_id), '{}') INTO free
    FROM unnest(free) AS f (lead_id)
    LEFT JOIN (
        SELECT h.lead_id, count(*) AS rows
        FROM (SELECT v.lead_id FROM event AS v UNION ALL SELECT v.lead_id FROM delivery AS v) AS h
        GROUP BY h.lead_id
    ) AS held ON f.lead_id = held.lead_id
    LEFT JOIN (
        SELECT t.lead_id, count(*) AS rows
        FROM (
            SELECT e.aggregateid::bigint AS lead_id FROM lead_protection.outbox_events AS e WHERE e.id = ANY(events)
            UNION ALL
            SELECT d.lead_id FROM lead_protection.event_deliveries AS d WHERE d.event_id = ANY(events)
        ) AS t
        GROUP BY t.lead_id
    ) AS there ON f.lead_id = there.lead_id
    WHERE there.rows IS NOT DISTINCT FROM held.rows;

    SELECT a.lead_id INTO amiss FROM lead_protection.adopted_leads AS a WHERE a.lead_id = ANY(free) LIMIT 1;
    IF NOT FOUND THEN
        SELECT a.lead_id INTO amiss FROM lead_protection.adopted_holds AS a WHERE a.lead_id = ANY(free) LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'lead % cannot leave this node', amiss
            USING ERRCODE = 'LP136',
            DETAIL = 'It, or a hold of it, follows an adopted table of this database.',
            HINT = 'Leads of adopted tables stay with their table.';
    END IF;
    SELECT
        array_agg(e.lead_id), array_agg(e.log_rows), array_agg(e.log_hash),
        max(e.lead_id) FILTER (WHERE NOT e.is_as_sealed)
    INTO logged, last_rows, last_hashes, amiss
    FROM lead_protection.log_ends(free) AS e;
    IF amiss IS NOT NULL THEN
        RAISE EXCEPTION 'the log of lead % is not what was sealed', amiss
            USING ERRCODE = 'LP138',
            DETAIL = 'A lead whose log does not prove itself does not move.',
            HINT = format('SELECT * FROM lead_protection.verify_protection_log(%s) says what is wrong.', amiss);
    END IF;

    WITH gone AS (
        INSERT INTO lead_protection.lead_moves AS m (
            lead_id, move, is_here, from_node, to_node, departed_at, log_rows, log_hash, log_chained_at, request_key,
            hold_ids, digest, packed
        )
        SELECT
            p.lead_id, coalesce(b.move, 0) + 1, false, depart_leads.from_node, depart_leads.to_node, clock_timestamp(),
            coalesce(e.log_rows, 0), e.log_hash, greatest(chained_at, b.log_chained_at), l.request_key,
            ARRAY(SELECT h.id FROM lead_protection.lead_holds AS h WHERE h.lead_id = p.lead_id ORDER BY h.id),
            sha256(convert_to(p.packed::text, 'UTF8')), p.packed
        FROM lead_protection.packed_leads(free) AS p
        INNER JOIN lead_protection.leads AS l ON p.lead_id = l.id
        LEFT JOIN lead_protection.lead_moves AS b ON p.lead_id = b.lead_id
        LEFT JOIN unnest(logged, last_rows, last_hashes) AS e (lead_id, log_rows, log_hash) ON p.lead_id = e.lead_id
        ON CONFLICT (lead_id) DO UPDATE SET (
            move, is_here, from_node, to_node, departed_at, log_rows, log_hash, log_chained_at, request_key, hold_ids,
            digest, packed
        ) = (
            excluded.move, excluded.is_here, excluded.from_node, excluded.to_node, excluded.departed_at,
            excluded.log_rows, excluded.log_hash, excluded.log_chained_at, excluded.request_key, excluded.hold_ids,
            excluded.digest, excluded.packed
        )
        RETURNING m AS this
    )

    SELECT array_agg(g.this) INTO departed FROM gone AS g;

    -- One statement: whatever refers to what, at its end nothing is left.
    EXECUTE (
        SELECT
            'WITH ' || string_agg(
                format('d%s AS (DELETE FROM lead_protection.%I WHERE %s)', t.nth, t.table_name, t.found_by), ', '
            ) || ' DELETE FROM lead_protection.passed_over_leads WHERE lead_id = ANY($1)'
        FROM lead_protection.lead_tables() WITH ORDINALITY AS t (table_name, lead_of, found_by, sorted_by, nth)
    )
    USING ARRAY(SELECT d.lead_id FROM unnest(departed) AS d);
    RETURN QUERY SELECT d.* FROM unnest(departed) AS d;
END;
$$;

COMMENT ON FUNCTION lead_protection.depart_leads(bigint[], text, text) IS
'Packs the leads, with all that belongs to them, into lead_moves and deletes their rows: from the commit on, calls for '
'them are answered with LP135. from_node, to_node: the names of this node and of the one that they go to. Returns the '
'rows of lead_moves for arrive_leads() there. A lead that another session holds locked, or one of whose events a '
'consumer is at work on (its lease runs), is left as it is, and is not returned. Internal: lead-protection '
'move-slots calls it.
Errors: LP136 a lead of an adopted table, or a log that is not chained yet, LP138 a log that is not what was sealed.';
