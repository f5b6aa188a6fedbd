CREATE OR REPLACE FUNCTION lead_protection.refuse_new_terms()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'the terms of policy % (%) cannot be changed', old.id, old.name
        USING ERRCODE = 'LP011',
        DETAIL = 'Clocks run under it, and their dates must stay what they are.',
        HINT = 'Insert a policy with the new terms and make it the default.';
END;
$$;

COMMENT ON FUNCTION lead_protection.refuse_new_terms() IS
'Trigger: refuses to change the terms of a policy (LP011). Its name and whether it is the default may change.';

CREATE OR REPLACE TRIGGER refuse_new_terms
BEFORE UPDATE ON lead_protection.protection_policies
FOR EACH ROW
WHEN (
    (old.id, old.rule, old.base_months, old.extension_days, old.grace_days, old.time_zone, old.reminder_time)
    IS DISTINCT FROM
    (new.id, new.rule, new.base_months, new.extension_days, new.grace_days, new.time_zone, new.reminder_time)
)
EXECUTE FUNCTION lead_protection.refuse_new_terms();
