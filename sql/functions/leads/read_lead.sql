CREATE OR REPLACE FUNCTION lead_protection.read_lead(lead_id bigint, as_of timestamptz)
RETURNS lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    protection lead_protection.v_user_lead_protection;
BEGIN
    SELECT
        c.lead_id, c.user_id, c.started_at, s.protection_expires_at, s.state, s.on_hold, s.reminder_due_at,
        c.reminded_at, c.closed_at, c.policy_id, c.lead_key,
        lead_protection.time_left(c, s.protection_expires_at, s.state, read_lead.as_of)
    INTO protection
    FROM lead_protection.lead_clocks AS c
    CROSS JOIN LATERAL lead_protection.clock_at(c, read_lead.as_of) AS s
    WHERE c.lead_id = read_lead.lead_id;
    RETURN protection;
END;
$$;

COMMENT ON FUNCTION lead_protection.read_lead(bigint, timestamptz) IS
'One lead''s row of v_user_lead_protection at as_of, now or later; all null if there is no such lead. Internal.';
