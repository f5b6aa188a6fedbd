CREATE OR REPLACE FUNCTION lead_protection.check_activity()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_instant(new.occurred_at, 'occurred_at', may_be_ahead => false);
    -- An activity ahead of now would restart a clock that nobody has reached yet.
    new.occurred_at := least(new.occurred_at, clock_timestamp());
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_activity() IS
'Trigger: refuses an activity outside the years 1900 to 2999 (LP005) or more than 5 minutes ahead (LP010). Within '
'these it is taken to be now: a fast clock recorded it.';

-- Not on every update: striking an activity out must work whatever its instant.
CREATE OR REPLACE TRIGGER check_activity
BEFORE INSERT OR UPDATE OF occurred_at ON lead_protection.lead_activities
FOR EACH ROW EXECUTE FUNCTION lead_protection.check_activity();
