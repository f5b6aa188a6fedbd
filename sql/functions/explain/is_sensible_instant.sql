-- A condition, so that a query which inlines it asks once and before it looks at a lead.
CREATE OR REPLACE FUNCTION lead_protection.is_sensible_instant(instant timestamptz)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_instant(is_sensible_instant.instant, 'as_of', may_be_ahead => true);
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lead_protection.is_sensible_instant(timestamptz) IS
'True, or LP005 for an instant outside the years 1900 to 2999, such as infinity. Internal.';
