-- For rows that write_log() did not number already. In a trigger that is called for each row a row of the same lead
-- that the same statement wrote before is there to be seen.
CREATE OR REPLACE FUNCTION lead_protection.chain_log_row()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    new.log_number := 1 + coalesce(
        (
            SELECT g.log_number
            FROM lead_protection.protection_log AS g
            WHERE g.lead_id = new.lead_id AND g.log_number IS NOT NULL
            ORDER BY g.log_number DESC
            LIMIT 1
        ),
        (
            SELECT lead_protection.chain_old_rows(ARRAY[new.lead_id])::integer
            FROM lead_protection.settings AS s
            WHERE s.log_chained_at IS NULL
        ),
        0
    );
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.chain_log_row() IS
'Trigger: gives a log row its number in the lead, by which seal_protection_log() chains it. Whoever writes it holds '
'the lead''s row locked: two that did not would get the same number, and one of them error 23505.';

CREATE OR REPLACE TRIGGER chain_log_row
BEFORE INSERT ON lead_protection.protection_log
FOR EACH ROW WHEN (new.log_number IS NULL) EXECUTE FUNCTION lead_protection.chain_log_row();
