-- One trigger function for the tables of facts about a lead, once a statement, so that a bulk change is one refresh.
-- Transition tables allow one event a trigger: hence three triggers a table.
CREATE OR REPLACE FUNCTION lead_protection.refresh_clocks_of_changed_facts()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lead_ids bigint [];
BEGIN
    IF TG_OP = 'INSERT' THEN
        lead_ids := (SELECT array_agg(DISTINCT n.lead_id) FROM new_rows AS n);
    ELSIF TG_OP = 'DELETE' THEN
        lead_ids := (SELECT array_agg(DISTINCT o.lead_id) FROM old_rows AS o);
    ELSE
        lead_ids := ARRAY(SELECT n.lead_id FROM new_rows AS n UNION SELECT o.lead_id FROM old_rows AS o);
    END IF;
    PERFORM lead_protection.lock_leads(lead_ids, follow_first => false);
    IF TG_TABLE_NAME = 'lead_holds' THEN
        PERFORM lead_protection.refresh_held_clocks(lead_ids);
    ELSE
        PERFORM lead_protection.refresh_lead_clocks(lead_ids);
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.refresh_clocks_of_changed_facts() IS
'Trigger: keeps lead_clocks equal to the facts in the transaction that changes them.';

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_holds REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_holds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_holds REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_reminders REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_reminders REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_reminders REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_expiries REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_expiries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_expiries REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_activities REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_activities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_activities REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();

CREATE OR REPLACE TRIGGER refresh_clocks_after_insert
AFTER INSERT ON lead_protection.lead_extensions REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_update
AFTER UPDATE ON lead_protection.lead_extensions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
CREATE OR REPLACE TRIGGER refresh_clocks_after_delete
AFTER DELETE ON lead_protection.lead_extensions REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refresh_clocks_of_changed_facts();
