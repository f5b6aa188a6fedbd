CREATE OR REPLACE FUNCTION lead_protection.refuse_change()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is not allowed', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'LP012',
        DETAIL = 'Dates that money hangs on are proved from these rows.',
        HINT = CASE
            WHEN TG_TABLE_NAME = 'leads' AND TG_OP = 'DELETE'
                THEN 'Use lead_protection.delete_lead(), which keeps the proof.'
            WHEN TG_OP = 'TRUNCATE' THEN 'To begin anew, roll back all migrations and apply them again.'
            WHEN TG_TABLE_NAME = 'policy_warnings' THEN 'Make a new version with create_policy_version().'
            WHEN TG_TABLE_NAME IN ('calendars', 'calendar_days')
                THEN 'Make a new version with create_calendar_version().'
            ELSE 'A correction is a new row.'
        END;
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_change() IS
'Trigger: refuses the statement (LP012). On the log and its seals, the outbox, extensions, policy assignments, '
'warnings of policies and calendars: they are append-only, except that erase_texts() erases texts, see '
'guard_log_row(), and that the rows of a lead which moves to another node go, see has_departed(). On leads and '
'their history: what was is proved from them. On the other facts: TRUNCATE would leave the clocks behind.';

CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.protection_log
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.log_leaves
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.log_nodes
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.log_seals
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR TRUNCATE ON lead_protection.outbox_events
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.leads
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.lead_holds
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.lead_reminders
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.lead_expiries
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.lead_activities
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OF id, lead_id, user_id, days, approved_by, granted_by, granted_at, request_key OR TRUNCATE
ON lead_protection.lead_extensions
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OF lead_id, valid_until, user_id, policy_id, closed_at OR TRUNCATE
ON lead_protection.lead_history
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.policy_assignments
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.calendars
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.calendar_days
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_protection.policy_warnings
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
CREATE OR REPLACE TRIGGER refuse_change
BEFORE TRUNCATE ON lead_protection.lead_warnings
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.refuse_change();
