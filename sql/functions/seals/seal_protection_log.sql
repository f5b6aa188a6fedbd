-- A log row has the number of its transaction, not of its commit. A transaction with a lower number may commit later;
-- but what is below the xmin of a snapshot has ended, and all that it wrote is seen. So the rows from the horizon of
-- the last seal up to that xmin are what is new, and none of them is ever passed over. Here is where they are chained,
-- and not where each is written, which would take the writer's time and prove nothing before the seal.
CREATE OR REPLACE FUNCTION lead_protection.seal_protection_log()
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- Planned for the rows that there are, and by indexes also before there are statistics.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    server CONSTANT bigint := (SELECT c.system_identifier FROM pg_control_system() AS c);
    last lead_protection.log_seals;
    seal lead_protection.log_seals;
    since xid8 := '0'::xid8;
    until xid8;
    known_size bigint;
    upper_level integer := 8;
    sealed bigint;
    event lead_protection.outbox_events;
BEGIN
    LOCK TABLE lead_protection.log_seals IN SHARE ROW EXCLUSIVE MODE;
    SELECT s.* INTO last FROM lead_protection.log_seals AS s ORDER BY s.number DESC LIMIT 1;
    known_size := coalesce(last.tree_size, 0);
    -- The statements after this one have later snapshots: they see all that had ended for this one.
    seal.horizon := pg_snapshot_xmin(pg_current_snapshot());
    until := seal.horizon;
    IF last.system_identifier = server THEN
        since := last.horizon;
    ELSIF last.number IS NOT NULL THEN
        -- Restored elsewhere: the numbers of the transactions say nothing, and the whole log is compared.
        until := '18446744073709551615';
    END IF;

    -- Up to the newest of these rows in each lead, from the last one that is sealed on: a row before it may be of a
    -- transaction with a higher number, which had committed when the newer one was written. Materialized: what is sorted
    -- are digests, and not whole rows.
    WITH reached AS MATERIALIZED (
        SELECT g.lead_id, max(g.log_number) AS log_number
        FROM lead_protection.protection_log AS g
        -- A row without a number was written past the log's trigger: verify_protection_log() tells.
        WHERE g.log_number IS NOT NULL AND g.transaction_id >= since AND g.transaction_id < until
        GROUP BY g.lead_id
    ),

    new_row AS MATERIALIZED (
        SELECT g.lead_id, g.log_number, b.row_hash AS before, lead_protection.log_row_digest(g) AS digest
        FROM reached AS r
        LEFT JOIN LATERAL (
            SELECT f.log_number, f.row_hash
            FROM lead_protection.log_leaves AS f
            WHERE f.lead_id = r.lead_id
            ORDER BY f.log_number DESC
            LIMIT 1
        ) AS b ON true
        INNER JOIN lead_protection.protection_log AS g
            ON r.lead_id = g.lead_id AND r.log_number >= g.log_number AND g.log_number > coalesce(b.log_number, 0)
    )

    INSERT INTO lead_protection.log_leaves (leaf, lead_id, log_number, row_hash)
    SELECT
        known_size - 1 + row_number() OVER (ORDER BY n.lead_id, n.log_number),
        n.lead_id,
        n.log_number,
        lead_protection.log_chain(n.before, n.digest) OVER (PARTITION BY n.lead_id ORDER BY n.log_number)
    FROM new_row AS n;
    GET DIAGNOSTICS sealed = ROW_COUNT;
    IF sealed = 0 THEN
        RETURN 0::bigint;
    END IF;
    seal.tree_size := known_size + sealed;

    WHILE seal.tree_size >> upper_level > 0 LOOP
        INSERT INTO lead_protection.log_nodes (level, position, hash)
        SELECT
            upper_level, b.block,
            (lead_protection.merkle_block(
                lead_protection.tree_hashes(upper_level - 8, b.block, seal.tree_size), 0
            )).root
        FROM generate_series(known_size >> upper_level, (seal.tree_size >> upper_level) - 1) AS b (block);
        upper_level := upper_level + 8;
    END LOOP;

    seal.number := coalesce(last.number, 0) + 1;
    seal.sealed_at := clock_timestamp();
    seal.root := (lead_protection.leaf_path(seal.tree_size - 1, seal.tree_size)).root;
    seal.previous := CASE
        WHEN last.number IS NULL THEN decode(repeat('00', 32), 'hex')
        ELSE sha256(convert_to(lead_protection.seal_checkpoint(last.number), 'UTF8'))
    END;
    seal.system_identifier := server;
    INSERT INTO lead_protection.log_seals (number, sealed_at, tree_size, root, previous, horizon, system_identifier)
    VALUES (
        seal.number, seal.sealed_at, seal.tree_size, seal.root, seal.previous, seal.horizon, seal.system_identifier
    );

    -- The root leaves the database on every way that there is: whoever wants to change the past must change them all.
    INSERT INTO lead_protection.outbox_events AS e (id, aggregatetype, aggregateid, type, payload)
    VALUES (
        gen_random_uuid(), 'log', '0', 'log.sealed',
        jsonb_build_object(
            'seal', seal.number,
            'occurred_at', lead_protection.instant_text(seal.sealed_at),
            'tree_size', seal.tree_size,
            'root', encode(seal.root, 'hex'),
            'previous', encode(seal.previous, 'hex')
        )
    )
    RETURNING e.* INTO event;
    INSERT INTO lead_protection.event_deliveries (event_id, consumer_name, lead_id, sequence_number)
    SELECT event.id, c.consumer_name, 0, event.sequence_number
    FROM lead_protection.event_consumers AS c
    WHERE c.types IS NULL OR event.type = ANY(c.types);
    RAISE LOG 'lead-protection seal %: tree_size %, root %, previous %',
        seal.number, seal.tree_size, encode(seal.root, 'hex'), encode(seal.previous, 'hex');
    RETURN sealed;
END;
$$;

COMMENT ON FUNCTION lead_protection.seal_protection_log() IS
'Seals what is new in the log: each row whose transaction, and every one before it, has ended is chained to the row '
'before it in its lead and becomes a leaf of the Merkle tree, and the new root a row of log_seals, an event '
'log.sealed, and a line in the server''s log. Returns how many rows it sealed; repeated: 0, and nothing is written. '
'One at a time; nobody who writes the log waits for it. While a transaction that has written something stays open, '
'what was logged since it began is not sealed. Internal: run_protection_pipeline() calls it.';
