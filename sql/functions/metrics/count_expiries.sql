CREATE OR REPLACE FUNCTION lead_protection.count_expiries()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    PERFORM lead_protection.count_metric(
        'lead_protection_expired_total', '{}', (SELECT count(*) FROM new_rows AS n WHERE NOT n.adopted)
    );
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.count_expiries() IS
'Trigger: counts the expiries recorded, for v_metrics.';

CREATE OR REPLACE TRIGGER count_expiries
AFTER INSERT ON lead_protection.lead_expiries REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.count_expiries();
