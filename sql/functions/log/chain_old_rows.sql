CREATE OR REPLACE FUNCTION lead_protection.chain_old_rows(lead_ids bigint[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all batches, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    chained bigint;
BEGIN
    UPDATE lead_protection.protection_log AS g
    SET
        log_number = o.place,
        chained_at = now(),
        texts_salt = uuid_send(gen_random_uuid()),
        -- As of a row that is written now: seal_protection_log() finds it.
        transaction_id = pg_current_xact_id()
    FROM (
        SELECT
            r.lead_id,
            r.event_id,
            row_number() OVER (PARTITION BY r.lead_id ORDER BY r.occurred_at, r.recorded_at, r.event_id) AS place
        FROM lead_protection.protection_log AS r
        WHERE
            r.lead_id = ANY(chain_old_rows.lead_ids)
            -- Whoever has a chain has none from before it: what lacks a number there was not written by us.
            AND NOT EXISTS (
                SELECT FROM lead_protection.protection_log AS c WHERE c.lead_id = r.lead_id AND c.log_number = 1
            )
    ) AS o
    WHERE g.lead_id = o.lead_id AND g.event_id = o.event_id;
    GET DIAGNOSTICS chained = ROW_COUNT;
    RETURN chained;
END;
$$;

COMMENT ON FUNCTION lead_protection.chain_old_rows(bigint[]) IS
'Numbers the log rows of leads that have no chain yet, gives their texts a salt, and marks them as older than the '
'chain (chained_at). Returns how many; repeated: 0. Internal: the caller has locked the leads.';
