-- With the rights of whoever inserts: a right to a column cannot tell a null, which an ORM writes, from a closing.
CREATE OR REPLACE FUNCTION lead_protection.refuse_closed_lead()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT has_column_privilege('lead_protection.leads', 'closed_as', 'INSERT') THEN
        RAISE EXCEPTION 'role % may not enter a lead as closed', CURRENT_USER
            USING ERRCODE = 'insufficient_privilege',
            DETAIL = format('Given: closed_at %s.', new.closed_at),
            HINT = 'Enter it open, and call close_lead().';
    END IF;
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_closed_lead() IS
'Trigger: refuses (42501) a lead that is inserted as closed by a role that may insert open ones only, such as an '
'application''s.';

CREATE OR REPLACE TRIGGER refuse_closed_lead
BEFORE INSERT ON lead_protection.leads
FOR EACH ROW WHEN (new.closed_at IS NOT NULL) EXECUTE FUNCTION lead_protection.refuse_closed_lead();
