CREATE OR REPLACE VIEW lead_protection.v_kpi_expiring AS
SELECT
    v.user_id,
    count(*) AS leads,
    count(*) FILTER (WHERE v.state = 'GRACE') AS reminded,
    min(v.protection_expires_at) AS next_expires_at
FROM lead_protection.v_user_lead_protection AS v
WHERE
    v.state IN ('PROTECTED', 'REMINDER_DUE', 'GRACE') AND NOT v.on_hold
    AND v.protection_expires_at >= now() AND v.protection_expires_at < now() + INTERVAL '168 hours'
GROUP BY v.user_id;

COMMENT ON VIEW lead_protection.v_kpi_expiring IS
'The protections of each user that end within 7 days of 24 hours, those on hold left out. Users without any have no '
'row.';
COMMENT ON COLUMN lead_protection.v_kpi_expiring.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_kpi_expiring.leads IS 'Leads whose protection ends.';
COMMENT ON COLUMN lead_protection.v_kpi_expiring.reminded IS 'Of these, the user was reminded of so many.';
COMMENT ON COLUMN lead_protection.v_kpi_expiring.next_expires_at IS 'When the first of them ends.';
