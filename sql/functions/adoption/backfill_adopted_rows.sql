CREATE OR REPLACE FUNCTION lead_protection.backfill_adopted_rows(adoption_id bigint, batch_size integer)
RETURNS TABLE (source text, handled bigint, last_key text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Less than deadlock_timeout: should this stand in the way of somebody, this gives way, and the row waits.
SET lock_timeout = '200ms' SET jit = off
AS $$
DECLARE
    adoption lead_protection.adoptions;
    keys_alone lead_protection.adoptions;
    batch lead_protection.adopted_row [];
    held text [];
BEGIN
    -- Whoever else goes on with it waits here, and goes on behind it.
    PERFORM set_config('lock_timeout', '10s', true);
    PERFORM FROM lead_protection.adoptions AS a WHERE a.id = backfill_adopted_rows.adoption_id FOR NO KEY UPDATE;
    PERFORM set_config('lock_timeout', '200ms', true);
    SELECT a.* INTO adoption FROM lead_protection.active_adoption(backfill_adopted_rows.adoption_id) AS a;
    IF adoption.id IS NULL THEN
        RAISE EXCEPTION 'the table was disowned meanwhile'
            USING ERRCODE = 'LP051',
            DETAIL = 'What was taken over stays.',
            HINT = 'Adopt it again, if that was a mistake.';
    END IF;
    -- What else a row says is read as it is followed: one that cannot be read must not stop those after it.
    keys_alone := adoption;
    keys_alone.mapping := jsonb_build_object(
        'id_column', adoption.key_column, 'lead_column', adoption.mapping -> 'lead_column'
    );
    -- What is written meanwhile is looked up among what waits, and must not pile up in the notes.
    PERFORM lead_protection.spread_adoption_notes();
    IF adoption.backfill_until IS NULL THEN
        SELECT r.row_key INTO adoption.backfill_until
        FROM lead_protection.read_adopted_rows(keys_alone, batch_size => 1, last_first => true) AS r;
    END IF;
    batch := ARRAY(
        SELECT r
        FROM lead_protection.read_adopted_rows(
            keys_alone, after_key => adoption.backfilled_through, until_key => adoption.backfill_until,
            batch_size => backfill_adopted_rows.batch_size
        ) AS r
    );
    IF batch = '{}' THEN
        UPDATE lead_protection.adoptions AS a
        SET backfilled_at = coalesce(a.backfilled_at, clock_timestamp())
        WHERE a.id = adoption.id;
        -- Rows that were deleted while the table was not adopted, and proof that all others are in step.
        PERFORM lead_protection.queue_adoption_drift(100, adoption.id);
        RETURN QUERY SELECT adoption.source, 0::bigint, adoption.backfilled_through;
        RETURN;
    END IF;

    held := lead_protection.lock_adopted_leads(adoption, ARRAY(SELECT b.lead_key FROM unnest(batch) AS b));
    INSERT INTO lead_protection.adoption_queue (adoption_id, row_key, lead_key)
    SELECT adoption.id, b.row_key, b.lead_key FROM unnest(batch) AS b WHERE b.lead_key = ANY(held)
    ON CONFLICT DO NOTHING;
    PERFORM lead_protection.try_follow_rows(adoption, array_agg(b.row_key), array_agg(b.lead_key), true)
    FROM unnest(batch) AS b
    WHERE b.lead_key <> ALL(held)
    HAVING count(*) > 0;
    UPDATE lead_protection.adoptions AS a
    SET
        backfill_until = adoption.backfill_until,
        backfilled_through = (SELECT b.row_key FROM unnest(batch) WITH ORDINALITY AS b ORDER BY b.ordinality DESC LIMIT 1)
    WHERE a.id = adoption.id;
    RETURN QUERY
    SELECT adoption.source, cardinality(batch)::bigint, (batch[cardinality(batch)]).row_key;
END;
$$;

COMMENT ON FUNCTION lead_protection.backfill_adopted_rows(bigint, integer) IS
'Takes over the next batch_size rows of an adopted table, by key; those of leads that others hold wait in '
'adoption_queue. Returns how many rows there were (0: that was the last of them) and how far it has come. Error: LP051 '
'it was disowned meanwhile. Internal: backfill_adoption() calls it.';
