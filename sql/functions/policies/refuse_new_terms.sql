CREATE OR REPLACE FUNCTION lead_protection.refuse_new_terms()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'policy % (%, version %) cannot be changed', old.id, old.name, old.version
        USING ERRCODE = 'LP011',
        DETAIL = 'Clocks run under it, and their dates must stay what they are.',
        HINT = 'Make a new version with create_policy_version(). Running clocks move to it with move_leads_to_policy().';
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_new_terms() IS
'Trigger: refuses to change a policy: its terms, its name and version, and who made it when (LP011). Whether it is the '
'default may change.';

CREATE OR REPLACE TRIGGER refuse_new_terms
BEFORE UPDATE ON lead_protection.protection_policies
FOR EACH ROW
WHEN (
    (
        old.id, old.name, old.version, old.rule, old.base_months, old.extension_days, old.grace_days, old.time_zone,
        old.reminder_time, old.notice_required, old.extension_limit_days, old.hold_limit_days,
        old.hold_total_limit_days, old.created_by, old.created_at
    )
    IS DISTINCT FROM
    (
        new.id, new.name, new.version, new.rule, new.base_months, new.extension_days, new.grace_days, new.time_zone,
        new.reminder_time, new.notice_required, new.extension_limit_days, new.hold_limit_days,
        new.hold_total_limit_days, new.created_by, new.created_at
    )
)
EXECUTE FUNCTION lead_protection.refuse_new_terms();
