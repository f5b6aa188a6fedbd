-- Once a statement, so that a bulk change is one refresh. The statement itself has locked the rows.
CREATE OR REPLACE FUNCTION lead_protection.refresh_clocks_of_changed_leads()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.refresh_lead_clocks((SELECT array_agg(n.id) FROM new_rows AS n));
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.refresh_clocks_of_changed_leads() IS
'Trigger: makes the clocks of new leads in the transaction that inserts them.';

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.leads REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_leads();
