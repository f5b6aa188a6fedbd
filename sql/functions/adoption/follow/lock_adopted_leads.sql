CREATE OR REPLACE FUNCTION lead_protection.lock_adopted_leads(adoption lead_protection.adoptions, lead_keys text[])
RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
-- It locks, which is not stable.
-- @plpgsql_check_options: performance_warnings = off
DECLARE
    leads_of lead_protection.adoptions;
    wanted bigint [];
    locked bigint [];
BEGIN
    SELECT a.* INTO leads_of
    FROM lead_protection.adoptions AS a
    WHERE a.id = coalesce(lock_adopted_leads.adoption.leads_id, lock_adopted_leads.adoption.id);
    -- Also those that were here before they came with the table, by whose number they are known.
    wanted := CASE WHEN leads_of.keeps_numbers
        THEN ARRAY(SELECT k::bigint FROM unnest(lock_adopted_leads.lead_keys) AS k WHERE k <> '*')
        ELSE ARRAY(SELECT k.lead_id FROM lead_protection.known_leads(leads_of, lock_adopted_leads.lead_keys) AS k)
    END;
    locked := ARRAY(
        SELECT l.id
        FROM lead_protection.leads AS l
        WHERE l.id = ANY(wanted)
        ORDER BY l.id
        FOR NO KEY UPDATE SKIP LOCKED
    );
    RETURN ARRAY(
        SELECT coalesce(l.lead_key, l.id::text)
        FROM lead_protection.leads AS l
        WHERE l.id = ANY(wanted) AND l.id <> ALL(locked)
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_adopted_leads(lead_protection.adoptions, text[]) IS
'Locks those of the leads, by their keys in the adopted table, that nobody holds, and returns the keys of the others. '
'Internal.';
