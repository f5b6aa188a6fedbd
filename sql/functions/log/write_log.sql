-- The same as chain_log_row() does for one row, for all rows of a statement at once.
CREATE OR REPLACE FUNCTION lead_protection.write_log(entries lead_protection.protection_log[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    written bigint;
BEGIN
    IF (SELECT s.log_chained_at IS NULL FROM lead_protection.settings AS s) THEN
        PERFORM lead_protection.chain_old_rows(ARRAY(SELECT DISTINCT e.lead_id FROM unnest(write_log.entries) AS e));
    END IF;
    INSERT INTO lead_protection.protection_log (
        lead_id, user_id, event_type, occurred_at, actor_id, reason,
        state_before, state_after, expires_before, expires_after, details, log_number
    )
    SELECT
        e.lead_id,
        e.user_id,
        e.event_type,
        e.occurred_at,
        e.actor_id,
        e.reason,
        e.state_before,
        e.state_after,
        e.expires_before,
        e.expires_after,
        coalesce(e.details, '{}'),
        coalesce(p.log_number, 0) + row_number() OVER (PARTITION BY e.lead_id ORDER BY e.ordinality)
    FROM unnest(write_log.entries) WITH ORDINALITY AS e
    LEFT JOIN LATERAL (
        SELECT g.log_number
        FROM lead_protection.protection_log AS g
        WHERE g.lead_id = e.lead_id AND g.log_number IS NOT NULL
        ORDER BY g.log_number DESC
        LIMIT 1
    ) AS p ON true
    ORDER BY e.ordinality;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END;
$$;

COMMENT ON FUNCTION lead_protection.write_log(lead_protection.protection_log[]) IS
'Writes log rows and numbers them, and by the log''s trigger publishes them: of several of one lead in the order in '
'which they are given. Who, when and the number are filled in; the rest is as given. Returns how many. Internal: '
'whoever changes many leads calls it, and has locked them.';
