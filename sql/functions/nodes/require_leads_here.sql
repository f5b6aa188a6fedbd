CREATE OR REPLACE FUNCTION lead_protection.require_leads_here(lead_ids bigint[])
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    departed lead_protection.lead_moves;
BEGIN
    SELECT m.* INTO departed
    FROM lead_protection.lead_moves AS m
    WHERE m.lead_id = ANY(require_leads_here.lead_ids) AND NOT m.is_here
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'lead % has moved to another node', departed.lead_id
            USING ERRCODE = 'LP135',
            DETAIL = format(
                'It went from %s to %s at %s.', departed.from_node, departed.to_node,
                lead_protection.instant_text(departed.departed_at)
            ),
            HINT = 'Repeat the call through the router, which knows where it is.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_leads_here(bigint[]) IS
'Raises LP135 if one of the leads has moved to another node. Internal: what finds a lead missing calls it before it '
'says that the lead is unknown.';
