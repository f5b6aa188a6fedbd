CREATE OR REPLACE FUNCTION lead_protection.retry_adoption_queue(
    untried_since timestamptz DEFAULT now(), batch_size integer DEFAULT 100
)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Below deadlock_timeout: it gives way to the company's writers, and tries again with the next run.
SET lock_timeout = '200ms'
AS $$
DECLARE
    waiting record;
    tried bigint := 0::bigint;
BEGIN
    FOR waiting IN
        SELECT a AS adoption, q.row_key, q.lead_id
        FROM (
            SELECT o.adoption_id, o.row_key, o.lead_id
            FROM lead_protection.adoption_queue AS o
            WHERE
                o.tried_at < retry_adoption_queue.untried_since
                AND o.tried_at + lead_protection.retry_pause(INTERVAL '1 minute', o.attempts)
                <= retry_adoption_queue.untried_since
            ORDER BY o.tried_at, o.lead_id
            LIMIT least(retry_adoption_queue.batch_size, 100)
            -- Whoever holds one is following that row at this moment.
            FOR UPDATE SKIP LOCKED
        ) AS q
        CROSS JOIN LATERAL lead_protection.active_adoption(q.adoption_id) AS a
        -- Leads before their activities, and in the order in which locks are taken.
        ORDER BY a.kind DESC, q.lead_id, q.row_key
    LOOP
        tried := tried + 1;
        PERFORM lead_protection.try_sync_adopted_rows(
            waiting.adoption, ARRAY[waiting.row_key], ARRAY[waiting.lead_id]
        );
    END LOOP;
    RETURN tried;
END;
$$;

COMMENT ON FUNCTION lead_protection.retry_adoption_queue(timestamptz, integer) IS
'Tries rows of adoption_queue again that were not tried since untried_since, and whose pause is over: the longest '
'untried first, batch_size at most, and never more than 100. Those that can be followed now leave the queue. Returns '
'how many it tried; 0: none is left. Internal: the pipeline calls it until it returns 0, each time in a transaction of '
'its own.';
