CREATE OR REPLACE FUNCTION lead_protection.follow_adoption_queue(
    untried_since timestamptz DEFAULT now(), batch_size integer DEFAULT 500
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- It never waits for the leads of others; where it would wait for something else, it gives way before a deadlock is
-- looked for, and comes again.
SET lock_timeout = '200ms' SET jit = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    chosen lead_protection.adoption_queue [];
    batch record;
    held text [];
BEGIN
    -- What is written from then on is left to the next run: this one must come to an end.
    PERFORM lead_protection.spread_adoption_notes(follow_adoption_queue.untried_since);
    chosen := ARRAY(
        SELECT q
        FROM lead_protection.adoption_queue AS q
        WHERE
            q.dismissed_at IS NULL AND q.tried_at < follow_adoption_queue.untried_since
            AND q.queued_at <= follow_adoption_queue.untried_since
            AND (
                q.attempts = 0
                OR q.tried_at + lead_protection.retry_pause(INTERVAL '1 minute', q.attempts)
                <= follow_adoption_queue.untried_since
            )
        ORDER BY q.tried_at
        LIMIT follow_adoption_queue.batch_size
        -- Whoever holds one is following that row at this moment.
        FOR UPDATE SKIP LOCKED
    );
    FOR batch IN
        SELECT a AS adoption, g.row_keys, g.lead_keys
        FROM (
            SELECT
                c.adoption_id,
                array_agg(c.row_key ORDER BY c.lead_key, c.row_key) AS row_keys,
                array_agg(c.lead_key ORDER BY c.lead_key, c.row_key) AS lead_keys
            FROM unnest(chosen) AS c
            -- The table as a whole by itself.
            GROUP BY c.adoption_id, c.lead_key = '*'
        ) AS g
        CROSS JOIN LATERAL lead_protection.active_adoption(g.adoption_id) AS a
        -- Leads before what is about them.
        ORDER BY g.lead_keys[1] = '*' DESC, a.kind <> 'leads', a.id
    LOOP
        held := lead_protection.lock_adopted_leads(
            batch.adoption, CASE WHEN '*' = ANY(batch.lead_keys) THEN '{}' ELSE batch.lead_keys END
        );
        PERFORM lead_protection.try_follow_rows(
            batch.adoption, array_agg(u.row_key ORDER BY u.nth), array_agg(u.lead_key ORDER BY u.nth)
        )
        FROM unnest(batch.row_keys, batch.lead_keys) WITH ORDINALITY AS u (row_key, lead_key, nth)
        WHERE u.lead_key <> ALL(held)
        HAVING count(*) > 0;
        UPDATE lead_protection.adoption_queue AS q
        SET tried_at = clock_timestamp()
        FROM unnest(batch.row_keys, batch.lead_keys) AS u (row_key, lead_key)
        WHERE
            u.lead_key = ANY(held) AND q.lead_key = u.lead_key AND q.row_key = u.row_key
            AND q.adoption_id = (batch.adoption).id;
    END LOOP;
    RETURN cardinality(chosen)::bigint;
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adoption_queue(timestamptz, integer) IS
'Follows adopted tables: puts what was noted into adoption_queue, then follows rows that were written before '
'untried_since, were not tried since then and whose pause is over, the longest untried first, batch_size (500) at '
'most. Those that can be followed leave the queue; those of leads that others hold are left to the next run. Returns '
'how many rows it tried; 0: none is left. Internal: run_job_step() calls it until it returns 0, each time in a '
'transaction of its own.';
