CREATE OR REPLACE FUNCTION lead_protection.read_lead(lead_id bigint, as_of timestamptz)
RETURNS lead_protection.v_user_lead_protection
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    protection lead_protection.v_user_lead_protection;
BEGIN
    SELECT
        p.lead_id, p.user_id, p.created_at, p.protection_expires_at, p.state, p.on_hold, p.reminder_due_at,
        p.reminded_at, p.closed_at, p.policy_id, p.lead_key
    INTO protection
    FROM lead_protection.user_lead_protection(read_lead.as_of) AS p
    WHERE p.lead_id = read_lead.lead_id;
    RETURN protection;
END;
$$;

COMMENT ON FUNCTION lead_protection.read_lead(bigint, timestamptz) IS
'One lead''s row of v_user_lead_protection at as_of, now or later; all null if there is no such lead. Internal.';
