CREATE OR REPLACE VIEW lead_protection.v_kpi_users AS
SELECT
    v.user_id,
    count(*) AS leads,
    count(*) FILTER (WHERE v.state = 'PROTECTED') AS protected,
    count(*) FILTER (WHERE v.state = 'REMINDER_DUE') AS reminder_due,
    count(*) FILTER (WHERE v.state = 'GRACE') AS grace,
    count(*) FILTER (WHERE v.state = 'EXPIRED') AS expired,
    count(*) FILTER (WHERE v.state = 'CLOSED') AS closed,
    count(*) FILTER (WHERE v.on_hold) AS on_hold
FROM lead_protection.v_user_lead_protection AS v
GROUP BY v.user_id;

COMMENT ON VIEW lead_protection.v_kpi_users IS
'How many leads each user has in which state now. Quick for one user: WHERE user_id = …; for all it reads every lead.';
COMMENT ON COLUMN lead_protection.v_kpi_users.user_id IS 'The protected user; for a lead that is free, the last one.';
COMMENT ON COLUMN lead_protection.v_kpi_users.leads IS 'All of them.';
COMMENT ON COLUMN lead_protection.v_kpi_users.protected IS 'In state PROTECTED, on hold included.';
COMMENT ON COLUMN lead_protection.v_kpi_users.reminder_due IS 'In state REMINDER_DUE, on hold included.';
COMMENT ON COLUMN lead_protection.v_kpi_users.grace IS 'In state GRACE, on hold included.';
COMMENT ON COLUMN lead_protection.v_kpi_users.expired IS 'In state EXPIRED.';
COMMENT ON COLUMN lead_protection.v_kpi_users.closed IS 'In state CLOSED.';
COMMENT ON COLUMN lead_protection.v_kpi_users.on_hold IS 'On hold, whatever the state.';
