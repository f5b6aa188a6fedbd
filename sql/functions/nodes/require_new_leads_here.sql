CREATE OR REPLACE FUNCTION lead_protection.require_new_leads_here(lead_ids bigint[])
RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    other record;
BEGIN
    PERFORM lead_protection.require_leads_here(require_new_leads_here.lead_ids);
    SELECT l.id, s.slot, s.to_node INTO other
    FROM lead_protection.leads AS l
    INNER JOIN lead_protection.departed_slots AS s ON hashint8(l.id) & (s.slot_count - 1) = s.slot
    WHERE
        l.id = ANY(require_new_leads_here.lead_ids)
        AND NOT EXISTS (SELECT FROM lead_protection.lead_moves AS m WHERE m.lead_id = l.id)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'lead % belongs to another node', other.id
            USING ERRCODE = 'LP135',
            DETAIL = format('The leads of slot %s have moved to %s.', other.slot, other.to_node),
            HINT = 'Repeat the call through the router, which knows where it is.';
    END IF;
    SELECT m.lead_id, m.to_node, m.request_key INTO other
    FROM lead_protection.leads AS l
    INNER JOIN lead_protection.lead_moves AS m ON l.request_key = m.request_key
    WHERE l.id = ANY(require_new_leads_here.lead_ids) AND NOT m.is_here
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'lead % has moved to another node', other.lead_id
            USING ERRCODE = 'LP135',
            DETAIL = format('Request %s entered it here; it went to %s.', other.request_key, other.to_node),
            HINT = 'Repeat the call through the router, which knows where it is.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_new_leads_here(bigint[]) IS
'Raises LP135 if one of the leads, which were just entered, has moved to another node, belongs to a slot that has, or '
'was entered by a request that entered another one which has. Internal: the trigger on leads calls it.';
