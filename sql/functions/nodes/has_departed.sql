-- Told by what is there and not by who deletes: the rows that go are in the copy.
CREATE OR REPLACE FUNCTION lead_protection.has_departed(lead_id bigint)
RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM lead_protection.lead_moves AS m
        WHERE m.lead_id = has_departed.lead_id AND NOT m.is_here AND m.packed IS NOT NULL
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.has_departed(bigint) IS
'Whether a lead has moved to another node and is kept whole in lead_moves until it is there. Internal: the triggers '
'that refuse to delete a row ask it.';

CREATE OR REPLACE TRIGGER refuse_delete
BEFORE DELETE ON lead_protection.leads
FOR EACH ROW WHEN (NOT lead_protection.has_departed(old.id))
EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_delete
BEFORE DELETE ON lead_protection.lead_history
FOR EACH ROW WHEN (NOT lead_protection.has_departed(old.lead_id))
EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_delete
BEFORE DELETE ON lead_protection.lead_extensions
FOR EACH ROW WHEN (NOT lead_protection.has_departed(old.lead_id))
EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_delete
BEFORE DELETE ON lead_protection.protection_log
FOR EACH ROW WHEN (NOT lead_protection.has_departed(old.lead_id))
EXECUTE FUNCTION lead_protection.refuse_change();
