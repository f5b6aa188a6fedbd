CREATE OR REPLACE FUNCTION lead_protection.count_hold_version()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    new.version := old.version + 1;
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.count_hold_version() IS
'Trigger: counts the changes of a hold, by which a correction tells that another came first.';

CREATE OR REPLACE TRIGGER count_hold_version
BEFORE UPDATE ON lead_protection.lead_holds
FOR EACH ROW
WHEN (
    (old.start_at, old.end_at, old.reason, old.reason_code, old.released_by, old.limit_override_until, old.voided_at)
    IS DISTINCT FROM
    (new.start_at, new.end_at, new.reason, new.reason_code, new.released_by, new.limit_override_until, new.voided_at)
)
EXECUTE FUNCTION lead_protection.count_hold_version();
