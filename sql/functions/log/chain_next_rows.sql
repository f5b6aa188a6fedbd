CREATE OR REPLACE FUNCTION lead_protection.chain_next_rows(batch_size integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all batches, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    done_through bigint;
    lead_ids bigint [];
BEGIN
    SELECT s.log_chained_through INTO done_through
    FROM lead_protection.settings AS s
    WHERE s.log_chained_at IS NULL;
    IF NOT FOUND THEN
        RETURN 0::bigint;
    END IF;
    -- Leads that have log rows and no chain. A lead that comes later begins with its chain.
    lead_ids := ARRAY(
        SELECT l.id
        FROM lead_protection.leads AS l
        WHERE
            l.id > coalesce(done_through, -9223372036854775808)
            AND EXISTS (SELECT FROM lead_protection.protection_log AS g WHERE g.lead_id = l.id)
            AND NOT EXISTS (
                SELECT FROM lead_protection.protection_log AS g WHERE g.lead_id = l.id AND g.log_number = 1
            )
        ORDER BY l.id
        LIMIT chain_next_rows.batch_size
    );
    IF lead_ids <> '{}' THEN
        PERFORM lead_protection.chain_old_rows(
            lead_protection.lock_free_leads(lead_ids, 'lead-protection-nightly', 'log_rows_chained')
        );
        UPDATE lead_protection.settings AS s SET log_chained_through = lead_ids[cardinality(lead_ids)];
        RETURN cardinality(lead_ids)::bigint;
    END IF;

    -- The end of the list. Who was locked is for the next night, which begins anew.
    UPDATE lead_protection.settings AS s
    SET
        log_chained_through = NULL,
        log_chained_at = CASE
            WHEN NOT EXISTS (
                SELECT
                FROM lead_protection.passed_over_leads AS o
                INNER JOIN lead_protection.protection_log AS g ON o.lead_id = g.lead_id
                WHERE
                    o.job_name = 'lead-protection-nightly' AND o.step = 'log_rows_chained' AND g.log_number IS NULL
            )
                THEN clock_timestamp()
        END;
    RETURN 0::bigint;
END;
$$;

COMMENT ON FUNCTION lead_protection.chain_next_rows(integer) IS
'Chains the log rows that are older than the chain, of the next batch_size leads, and notes in settings how far it has '
'come, and when all were chained. A lead that another session holds locked is left to the next night, and noted in '
'passed_over_leads. Returns of how many leads; repeated until none is left: 0. Internal: run_job_step() calls it.';
