CREATE OR REPLACE FUNCTION lead_protection.retry_adoption_queue(batch_size integer DEFAULT 1000)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Below deadlock_timeout: it gives way to the company's writers, and tries again with the next run.
SET lock_timeout = '200ms'
AS $$
DECLARE
    waiting record;
    followed bigint := 0::bigint;
BEGIN
    PERFORM lead_protection.require_job_arguments(NULL, retry_adoption_queue.batch_size);
    FOR waiting IN
        SELECT a AS adoption, q.row_key, q.lead_id
        FROM (
            SELECT o.adoption_id, o.row_key, o.lead_id
            FROM lead_protection.adoption_queue AS o
            ORDER BY o.tried_at
            LIMIT retry_adoption_queue.batch_size
        ) AS q
        INNER JOIN lead_protection.adoptions AS a ON q.adoption_id = a.id
        -- Leads before their activities, and in the order in which locks are taken.
        ORDER BY a.kind DESC, q.lead_id, q.row_key
    LOOP
        followed := followed + 1 - lead_protection.try_sync_adopted_rows(
            waiting.adoption, ARRAY[waiting.row_key], ARRAY[waiting.lead_id]
        );
    END LOOP;
    RETURN followed;
END;
$$;

COMMENT ON FUNCTION lead_protection.retry_adoption_queue(integer) IS
'Tries rows of adoption_queue again, the longest untried first, batch_size at most; those that can be followed now leave it. Returns how many did. The pipeline calls it at the start of each run. Error: LP016.';
