-- Told by what is there and not by who deletes: the rows that go are in the copy.
CREATE OR REPLACE FUNCTION lead_protection.keep_unless_departed()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM lead_protection.lead_moves AS m
        WHERE m.lead_id = (to_jsonb(old) ->> TG_ARGV[0])::bigint AND NOT m.is_here AND m.packed IS NOT NULL
    ) THEN
        RETURN old;
    END IF;
    RAISE EXCEPTION 'DELETE on %.% is not allowed', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'LP012',
        DETAIL = 'Dates that money hangs on are proved from these rows.',
        HINT = CASE
            WHEN TG_TABLE_NAME = 'leads' THEN 'Use lead_protection.delete_lead(), which keeps the proof.'
            ELSE 'A correction is a new row.'
        END;
END;
$$;

COMMENT ON FUNCTION lead_protection.keep_unless_departed() IS
'Trigger: refuses to delete a row (LP012), except of a lead that has moved to another node and is kept whole in '
'lead_moves until it is there. The argument names the column with the lead.';

CREATE OR REPLACE TRIGGER keep_unless_departed
BEFORE DELETE ON lead_protection.leads
FOR EACH ROW EXECUTE FUNCTION lead_protection.keep_unless_departed('id');
CREATE OR REPLACE TRIGGER keep_unless_departed
BEFORE DELETE ON lead_protection.lead_history
FOR EACH ROW EXECUTE FUNCTION lead_protection.keep_unless_departed('lead_id');
CREATE OR REPLACE TRIGGER keep_unless_departed
BEFORE DELETE ON lead_protection.lead_extensions
FOR EACH ROW EXECUTE FUNCTION lead_protection.keep_unless_departed('lead_id');
CREATE OR REPLACE TRIGGER keep_unless_departed
BEFORE DELETE ON lead_protection.protection_log
FOR EACH ROW EXECUTE FUNCTION lead_protection.keep_unless_departed('lead_id');
