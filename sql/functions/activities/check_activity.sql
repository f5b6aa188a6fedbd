CREATE OR REPLACE FUNCTION lead_protection.check_activity()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- An activity ahead of now would restart a clock that nobody has reached yet.
    IF new.occurred_at > clock_timestamp() THEN
        PERFORM lead_protection.require_instant(new.occurred_at, 'occurred_at', may_be_ahead => false);
        new.occurred_at := clock_timestamp();
    END IF;
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_activity() IS
'Trigger: refuses an activity that lies more than 5 minutes ahead (LP010, or LP005 from the year 3000 on). Within '
'these minutes it is taken to be now: a fast clock recorded it.';

-- Not on every update: striking an activity out must work whatever its instant.
CREATE OR REPLACE TRIGGER check_activity
BEFORE INSERT OR UPDATE OF occurred_at ON lead_protection.lead_activities
FOR EACH ROW EXECUTE FUNCTION lead_protection.check_activity();
