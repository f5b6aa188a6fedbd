-- For rows that write_log() did not chain already, a whole statement at once. In a trigger that is called for each row
-- a row of the same lead that the same statement wrote before is there to be seen.
CREATE OR REPLACE FUNCTION lead_protection.chain_log_row()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    SELECT g.log_number, g.row_hash INTO new.log_number, new.previous_hash
    FROM lead_protection.protection_log AS g
    WHERE g.lead_id = new.lead_id AND g.log_number IS NOT NULL
    ORDER BY g.log_number DESC
    LIMIT 1;
    IF new.log_number IS NULL AND lead_protection.chain_old_rows(ARRAY[new.lead_id]) > 0 THEN
        SELECT g.log_number, g.row_hash INTO new.log_number, new.previous_hash
        FROM lead_protection.protection_log AS g
        WHERE g.lead_id = new.lead_id
        ORDER BY g.log_number DESC
        LIMIT 1;
    END IF;
    new.log_number := coalesce(new.log_number, 0) + 1;
    IF new.reason IS NOT NULL OR new.details ? 'evidence' THEN
        new.texts_salt := uuid_send(gen_random_uuid());
    END IF;
    new.row_hash := lead_protection.log_row_hash(new);
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.chain_log_row() IS
'Trigger: gives a log row its number in the lead, the hash of the row before it, the salt of its texts and its own '
'hash. Whoever writes it holds the lead''s row locked: two that did not would get the same number, and one of them '
'error 23505.';

CREATE OR REPLACE TRIGGER chain_log_row
BEFORE INSERT ON lead_protection.protection_log
FOR EACH ROW WHEN (new.row_hash IS NULL) EXECUTE FUNCTION lead_protection.chain_log_row();
