-- Row by row: each hash needs the one before it. The texts of old rows get their salt here.
CREATE OR REPLACE FUNCTION lead_protection.chain_old_rows(lead_ids bigint[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- One plan for all batches, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    entry lead_protection.protection_log;
    previous lead_protection.protection_log;
    chained bigint := 0::bigint;
    chained_at CONSTANT timestamptz := clock_timestamp();
BEGIN
    FOR entry IN
        SELECT g.*
        FROM lead_protection.protection_log AS g
        WHERE
            g.lead_id = ANY(chain_old_rows.lead_ids)
            -- Whoever has a chain has none from before it: what lacks a number there was not written by us.
            AND NOT EXISTS (
                SELECT FROM lead_protection.protection_log AS c WHERE c.lead_id = g.lead_id AND c.log_number = 1
            )
        ORDER BY g.lead_id, g.occurred_at, g.recorded_at, g.event_id
    LOOP
        IF previous.lead_id IS DISTINCT FROM entry.lead_id THEN
            previous := NULL;
        END IF;
        entry.log_number := coalesce(previous.log_number, 0) + 1;
        entry.previous_hash := previous.row_hash;
        entry.chained_at := chained_at;
        IF entry.reason IS NOT NULL OR entry.details ? 'evidence' THEN
            entry.texts_salt := uuid_send(gen_random_uuid());
        END IF;
        entry.row_hash := lead_protection.log_row_hash(entry);
        UPDATE lead_protection.protection_log AS g
        SET
            log_number = entry.log_number, previous_hash = entry.previous_hash, row_hash = entry.row_hash,
            chained_at = entry.chained_at, texts_salt = entry.texts_salt,
            -- As of a row that is written now: seal_protection_log() finds it.
            transaction_id = pg_current_xact_id()
        WHERE g.lead_id = entry.lead_id AND g.event_id = entry.event_id;
        previous := entry;
        chained := chained + 1;
    END LOOP;
    RETURN chained;
END;
$$;

COMMENT ON FUNCTION lead_protection.chain_old_rows(bigint[]) IS
'Chains the log rows of leads that have no chain yet, and marks them as older than it (chained_at). Returns how many; '
'repeated: 0. Internal: the caller has locked the leads.';
