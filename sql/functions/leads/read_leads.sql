CREATE OR REPLACE FUNCTION lead_protection.read_leads(lead_ids bigint[], as_of timestamptz)
RETURNS SETOF lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        c.lead_id, c.user_id, c.started_at, s.protection_expires_at, s.state, s.on_hold, s.reminder_due_at,
        c.reminded_at, c.closed_at, c.policy_id, c.lead_key,
        lead_protection.time_left(c, s.protection_expires_at, s.state, read_leads.as_of)
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, read_leads.as_of) AS s
    WHERE c.lead_id = ANY(read_leads.lead_ids);
END;
$$;

COMMENT ON FUNCTION lead_protection.read_leads(bigint[], timestamptz) IS
'The leads'' rows of v_user_lead_protection at as_of, now or later; none for unknown ids. Internal.';
