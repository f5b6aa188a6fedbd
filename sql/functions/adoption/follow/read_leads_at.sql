CREATE OR REPLACE FUNCTION lead_protection.read_leads_at(lead_ids bigint[], instants timestamptz[])
RETURNS SETOF lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        c.lead_id, c.user_id, c.started_at, s.protection_expires_at, s.state, s.on_hold, s.reminder_due_at,
        c.reminded_at, c.closed_at, c.policy_id, c.lead_key,
        lead_protection.time_left(c, s.protection_expires_at, s.state, u.at)
    FROM unnest(read_leads_at.lead_ids, read_leads_at.instants) AS u (lead_id, at)
    INNER JOIN lead_protection.lead_clocks AS c ON u.lead_id = c.lead_id
    CROSS JOIN LATERAL lead_protection.clock_at(c, u.at) AS s;
END;
$$;

COMMENT ON FUNCTION lead_protection.read_leads_at(bigint[], timestamptz[]) IS
'read_leads(), with an instant for each lead. Internal.';
