-- The linter cannot indent CROSS JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE VIEW lead_protection.v_kpi_users AS
SELECT
    v.user_id,
    count(*) AS leads,
    count(*) FILTER (WHERE v.state = 'PROTECTED') AS protected,
    count(*) FILTER (WHERE v.state = 'REMINDER_DUE') AS reminder_due,
    count(*) FILTER (WHERE v.state = 'GRACE') AS grace,
    count(*) FILTER (WHERE v.state = 'EXPIRED') AS expired,
    count(*) FILTER (WHERE v.state = 'CLOSED') AS closed,
    count(*) FILTER (WHERE v.on_hold) AS on_hold,
    count(*) FILTER (WHERE e.expires_soon) AS expiring,
    count(*) FILTER (WHERE e.expires_soon AND v.state = 'GRACE') AS expiring_reminded,
    min(v.protection_expires_at) FILTER (WHERE e.expires_soon) AS next_expires_at,
    count(*) FILTER (WHERE v.state = 'FREE') AS free
FROM lead_protection.v_user_lead_protection AS v
CROSS JOIN LATERAL (
    SELECT
        v.state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE') AND NOT v.on_hold
        AND v.protection_expires_at >= now() AND v.protection_expires_at < now() + INTERVAL '168 hours' AS expires_soon
) AS e
GROUP BY v.user_id;

COMMENT ON VIEW lead_protection.v_kpi_users IS
'How many leads each user has in which state now, and what ends within 7 days of 24 hours. Quick for one user: WHERE '
'user_id = …; for all it reads every lead.';
COMMENT ON COLUMN lead_protection.v_kpi_users.user_id IS
'The protected user, also after the protection has expired; null: the leads that are nobody''s.';
COMMENT ON COLUMN lead_protection.v_kpi_users.leads IS 'All of them.';
COMMENT ON COLUMN lead_protection.v_kpi_users.protected IS 'In state PROTECTED, on hold included.';
COMMENT ON COLUMN lead_protection.v_kpi_users.reminder_due IS 'In state REMINDER_DUE, on hold included.';
COMMENT ON COLUMN lead_protection.v_kpi_users.grace IS 'In state GRACE, on hold included.';
COMMENT ON COLUMN lead_protection.v_kpi_users.expired IS 'In state EXPIRED.';
COMMENT ON COLUMN lead_protection.v_kpi_users.closed IS 'In state CLOSED.';
COMMENT ON COLUMN lead_protection.v_kpi_users.on_hold IS 'On hold, whatever the state.';
COMMENT ON COLUMN lead_protection.v_kpi_users.expiring IS
'Protections that end within 7 days of 24 hours, those on hold left out.';
COMMENT ON COLUMN lead_protection.v_kpi_users.expiring_reminded IS 'Of these, the user was reminded of so many.';
COMMENT ON COLUMN lead_protection.v_kpi_users.next_expires_at IS 'When the first of these ends; null: none does.';
COMMENT ON COLUMN lead_protection.v_kpi_users.free IS
'In state FREE: of nobody''s leads those that are not closed; 0 for every user.';
