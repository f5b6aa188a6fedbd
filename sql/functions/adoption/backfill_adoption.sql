-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.backfill_adoption(adoption_id bigint, batch_size integer)
LANGUAGE plpgsql
AS $$
DECLARE
    taken bigint := 0::bigint;
    batch record;
    ended_at pg_catalog.timestamptz;
    told_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
    LOOP
        SELECT b.* INTO batch
        FROM lead_protection.backfill_adopted_rows(backfill_adoption.adoption_id, backfill_adoption.batch_size) AS b;
        COMMIT;
        EXIT WHEN batch.handled OPERATOR(pg_catalog.=) 0;
        taken := taken OPERATOR(pg_catalog.+) batch.handled;
        IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>)
            (told_at OPERATOR(pg_catalog.+) '5 seconds'::pg_catalog.interval)
        THEN
            RAISE NOTICE '%: % rows taken over, through %', batch.source, taken, batch.last_key;
            told_at := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;
    ended_at := pg_catalog.clock_timestamp();
    WHILE lead_protection.follow_adoption_queue(ended_at) OPERATOR(pg_catalog.>) 0 LOOP
        COMMIT;
    END LOOP;
    COMMIT;
    RAISE NOTICE '%: % rows taken over, % rows wait in adoption_queue', batch.source, taken, (
        SELECT pg_catalog.count(*) FROM lead_protection.adoption_queue AS q
        WHERE q.adoption_id OPERATOR(pg_catalog.=) backfill_adoption.adoption_id
    );
END;
$$;

COMMENT ON PROCEDURE lead_protection.backfill_adoption(bigint, integer) IS
'Takes over the rows that are in an adopted table, batch_size (500) in a transaction, by key, from where it stopped, '
'then tries all that waits once. Rows that cannot be taken over go to adoption_queue. A NOTICE every 5 seconds. '
'Commits. Error: LP051 it was disowned meanwhile. Internal: adopt_leads() and its like call it.';
