CREATE OR REPLACE FUNCTION lead_protection.find_clock_drift()
RETURNS TABLE (
    lead_id bigint, cached lead_protection.lead_clocks, derived lead_protection.lead_clocks
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
SELECT coalesce(d.lead_id, c.lead_id), c, d
FROM lead_protection.derive_lead_clocks() AS d
FULL JOIN lead_protection.lead_clocks AS c ON d.lead_id = c.lead_id
WHERE d IS DISTINCT FROM c
$$;

COMMENT ON FUNCTION lead_protection.find_clock_drift() IS
'The leads whose cached clock differs from the rule, with both rows. No row: the cache is proved. Reads every lead; '
'changes nothing.';
