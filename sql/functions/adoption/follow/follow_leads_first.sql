CREATE OR REPLACE FUNCTION lead_protection.follow_leads_first(lead_ids bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
DECLARE
    waiting record;
BEGIN
    FOR waiting IN
        WITH named AS MATERIALIZED (
            SELECT a.adoption_id AS leads_id, coalesce(a.row_key, a.lead_id::text) AS lead_key
            FROM lead_protection.adopted_leads AS a
            WHERE a.lead_id = ANY(follow_leads_first.lead_ids)
            UNION
            -- A row that is no lead yet, and will be one of that number.
            SELECT o.id, u.lead_id::text
            FROM lead_protection.adoptions AS o
            CROSS JOIN unnest(follow_leads_first.lead_ids) AS u (lead_id)
            WHERE
                o.kind = 'leads' AND o.keeps_numbers AND o.disowned_at IS NULL
                AND NOT EXISTS (SELECT FROM lead_protection.adopted_leads AS k WHERE k.lead_id = u.lead_id)
        )

        SELECT f.adoption, array_agg(f.row_key) AS row_keys, array_agg(f.lead_key) AS lead_keys
        FROM named AS n
        CROSS JOIN LATERAL lead_protection.waiting_rows(n.leads_id, n.lead_key) AS f
        GROUP BY f.adoption
        ORDER BY (f.adoption).kind <> 'leads', (f.adoption).id
    LOOP
        BEGIN
            PERFORM lead_protection.follow_adopted_rows(waiting.adoption, waiting.row_keys, waiting.lead_keys);
        EXCEPTION
            -- Of locks and the like: the caller's transaction is to be run again.
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                RAISE;
            WHEN OTHERS THEN
                RAISE EXCEPTION 'row % of % cannot be followed', array_to_string(waiting.row_keys, ', '),
                    (waiting.adoption).source
                    USING ERRCODE = 'LP066',
                    DETAIL = format('It was written, and what it says now is refused: %s: %s', SQLSTATE, SQLERRM),
                    HINT = 'Mend the row, or have it set aside with dismiss_adopted_row(): until then nothing is done '
                    'to its lead.';
        END;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_leads_first(bigint[]) IS
'Follows what was written about these leads in adopted tables and waits, what the caller''s own transaction wrote '
'included. Error: LP066 it cannot be followed. Internal: lock_leads() calls it, so whoever changes a lead has it '
'followed first.';
