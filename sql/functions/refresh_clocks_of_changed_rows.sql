-- One trigger function for all fact tables, once a statement, so that a bulk change is one refresh.
-- Transition tables allow one event a trigger: hence three triggers a table.
CREATE OR REPLACE FUNCTION lead_protection.refresh_clocks_of_changed_rows()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lead_ids bigint [];
BEGIN
    IF TG_TABLE_NAME = 'leads' THEN
        -- The statement itself has locked these rows.
        SELECT array_agg(n.id) INTO lead_ids FROM new_rows AS n;
    ELSE
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(DISTINCT n.lead_id) INTO lead_ids FROM new_rows AS n;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(DISTINCT o.lead_id) INTO lead_ids FROM old_rows AS o;
        ELSE
            SELECT array_agg(DISTINCT b.lead_id)
            INTO lead_ids
            FROM (
                SELECT n.lead_id FROM new_rows AS n
                UNION ALL
                SELECT o.lead_id FROM old_rows AS o
            ) AS b;
        END IF;
        PERFORM lead_protection.lock_leads(lead_ids);
    END IF;
    IF lead_ids IS NOT NULL THEN
        PERFORM lead_protection.refresh_lead_clocks(lead_ids);
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.refresh_clocks_of_changed_rows() IS
'Trigger: keeps lead_clocks equal to the facts in the transaction that changes them. A deleted lead takes its row along by its foreign key.';

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.leads REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_holds REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_holds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_holds REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_reminders REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_reminders REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_reminders REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_expiries REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_expiries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_expiries REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_rows();
