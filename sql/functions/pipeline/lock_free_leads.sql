-- Whoever has many leads to do something for waits for none of them, least of all while it holds others.
CREATE OR REPLACE FUNCTION lead_protection.lock_free_leads(lead_ids bigint[], job_name text, step text)
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    free CONSTANT bigint [] := ARRAY(
        SELECT l.id
        FROM lead_protection.leads AS l
        WHERE l.id = ANY(lock_free_leads.lead_ids)
        ORDER BY l.id
        FOR NO KEY UPDATE SKIP LOCKED
    );
BEGIN
    IF cardinality(free) < cardinality(lock_free_leads.lead_ids) THEN
        -- A run of the job has this lock already; who calls a step by hand must not note in another order than a run.
        PERFORM FROM lead_protection.lock_rows AS l WHERE l.lock_name = lock_free_leads.job_name FOR UPDATE;
        INSERT INTO lead_protection.passed_over_leads AS o (lead_id, job_name, step, since, last_at)
        SELECT DISTINCT u.lead_id, lock_free_leads.job_name, lock_free_leads.step, clock_timestamp(), clock_timestamp()
        FROM unnest(lock_free_leads.lead_ids) AS u (lead_id)
        LEFT JOIN unnest(free) AS f (lead_id) ON u.lead_id = f.lead_id
        WHERE f.lead_id IS NULL
        ON CONFLICT ON CONSTRAINT passed_over_leads_pkey DO UPDATE
        SET step = excluded.step, last_at = excluded.last_at;
    END IF;
    RETURN free;
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_free_leads(bigint[], text, text) IS
'Locks those of the leads that no other session holds locked, in the order of their ids, waits for none, and returns '
'them; the others are noted in passed_over_leads for the job and its step. Internal: steps of the jobs call it.';
