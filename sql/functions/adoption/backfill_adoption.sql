-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.backfill_adoption(adoption_id bigint, batch_size integer)
LANGUAGE plpgsql
AS $$
DECLARE
    adoption lead_protection.adoptions;
    batch record;
    step text;
    tries integer := 0;
    taken bigint := 0::bigint;
    queued bigint := 0::bigint;
    told_at timestamptz := pg_catalog.clock_timestamp();
BEGIN
    <<batches>>
    LOOP
        step := 'locked';
        -- Less than deadlock_timeout: should this stand in the way of a session of the company's, this gives way.
        PERFORM pg_catalog.set_config('lock_timeout', '200ms', true);
        BEGIN
            PERFORM
            FROM lead_protection.adoptions AS a
            WHERE a.id = backfill_adoption.adoption_id
            FOR NO KEY UPDATE;
            SELECT a.* INTO adoption FROM lead_protection.active_adoption(backfill_adoption.adoption_id) AS a;
            IF adoption.id IS NULL THEN
                RAISE EXCEPTION 'the table was disowned meanwhile'
                    USING ERRCODE = 'LP051',
                    DETAIL = pg_catalog.format('Taken over before that: %s rows.', taken),
                    HINT = 'Adopt it again, if that was a mistake.';
            END IF;
            SELECT n.* INTO batch FROM lead_protection.next_adopted_rows(adoption, backfill_adoption.batch_size) AS n;
            IF batch.last_key IS NULL THEN
                step := 'done';
            ELSE
                IF batch.row_keys IS NOT NULL THEN
                    queued := queued + lead_protection.try_sync_adopted_rows(
                        adoption, batch.row_keys, batch.lead_ids, true
                    );
                    taken := taken + pg_catalog.cardinality(batch.row_keys);
                END IF;
                UPDATE lead_protection.adoptions AS a
                SET backfilled_through = batch.last_key
                WHERE a.id = adoption.id;
                step := 'next';
            END IF;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                NULL;
        END;
        COMMIT;
        EXIT batches WHEN step = 'done';
        IF step = 'locked' THEN
            tries := tries + 1;
            IF tries > 100 THEN
                RAISE EXCEPTION 'rows of % stay locked by others', adoption.source
                    USING ERRCODE = 'LP050',
                    DETAIL = pg_catalog.format('Taken over so far: %s rows. That stands.', taken),
                    HINT = 'Call it again: it goes on where it stopped. pg_locks shows who holds them.';
            END IF;
            PERFORM pg_catalog.pg_sleep(0.05 * least(tries, 20));
        ELSE
            tries := 0;
            IF pg_catalog.clock_timestamp() > told_at + INTERVAL '5 seconds' THEN
                RAISE NOTICE '%: % rows taken over, through %', adoption.source, taken, batch.last_key;
                told_at := pg_catalog.clock_timestamp();
            END IF;
        END IF;
    END LOOP;

    UPDATE lead_protection.adoptions AS a
    SET backfilled_at = coalesce(a.backfilled_at, pg_catalog.clock_timestamp())
    WHERE a.id = adoption.id;
    -- Rows that were deleted while the table was not adopted, and proof that all others are in step.
    PERFORM lead_protection.queue_adoption_drift();
    COMMIT;
    CALL lead_protection.drain_adoption_queue();
    RAISE NOTICE '%: % rows taken over, % of them wait in adoption_queue', adoption.source, taken, queued;
END;
$$;

COMMENT ON PROCEDURE lead_protection.backfill_adoption(bigint, integer) IS
'Takes over the rows that are in an adopted table, batch_size (500) in a transaction, by key, from where it stopped. '
'Rows that cannot be taken over go to adoption_queue. Waits for no lock longer than 200 ms; a batch that meets one is '
'tried again, up to 100 times in a row. A NOTICE every 5 seconds. Commits. Errors: LP050, LP051 it was disowned '
'meanwhile. Internal: adopt_leads() and adopt_activities() call it.';
