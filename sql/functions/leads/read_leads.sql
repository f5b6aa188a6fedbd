CREATE OR REPLACE FUNCTION lead_protection.read_leads(lead_ids bigint[], as_of timestamptz)
RETURNS SETOF lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Planned for the list that is given: a plan for any list would look at the leads that wait for a notice one by one.
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT
        p.lead_id, p.user_id, p.created_at, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at,
        p.reminded_at, p.closed_at, p.policy_id, p.lead_key
    FROM lead_protection.user_lead_protection(read_leads.as_of) AS p
    WHERE p.lead_id = ANY(read_leads.lead_ids);
END;
$$;

COMMENT ON FUNCTION lead_protection.read_leads(bigint[], timestamptz) IS
'The leads'' rows of v_user_lead_protection at as_of, now or later; none for unknown ids. Internal.';
