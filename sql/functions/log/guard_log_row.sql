-- What refuse_change() does for whole statements; of the rows of the log two changes are allowed. They are told by
-- their outcome and not by who makes them.
CREATE OR REPLACE FUNCTION lead_protection.guard_log_row()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    allowed lead_protection.protection_log := old;
BEGIN
    IF old.log_number IS NULL AND new.chained_at IS NOT NULL THEN
        -- A row from before the chain is numbered.
        allowed.log_number := new.log_number;
        allowed.chained_at := new.chained_at;
        allowed.texts_salt := new.texts_salt;
        allowed.transaction_id := new.transaction_id;
    ELSIF old.texts_salt IS NOT NULL AND (old.reason IS NOT NULL OR old.details ? 'evidence') THEN
        -- The commitment takes the place of the texts.
        allowed.reason := NULL;
        allowed.details := old.details - 'evidence';
        allowed.texts_salt := NULL;
        allowed.texts_hash := lead_protection.log_texts_hash(old);
    END IF;
    IF new IS DISTINCT FROM old AND new IS NOT DISTINCT FROM allowed THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'UPDATE on lead_protection.protection_log is not allowed'
        USING ERRCODE = 'LP012',
        DETAIL = 'Dates that money hangs on are proved from these rows.',
        HINT = 'A correction is a new row. erase_texts() erases reasons and evidence, and the proof stays.';
END;
$$;

COMMENT ON FUNCTION lead_protection.guard_log_row() IS
'Trigger: refuses to change a row of the log (LP012), except that a row from before the chain is numbered, and that '
'the commitment to its texts takes their place.';

CREATE OR REPLACE TRIGGER guard_log_row
BEFORE UPDATE ON lead_protection.protection_log
FOR EACH ROW EXECUTE FUNCTION lead_protection.guard_log_row();
