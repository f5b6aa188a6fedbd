CREATE OR REPLACE VIEW lead_protection.v_kpi_holds AS
SELECT
    a.user_id,
    count(*) AS active,
    count(*) FILTER (WHERE a.overrun) AS overrun,
    count(*) FILTER (WHERE coalesce(a.end_at, a.limit_at) < now() + INTERVAL '168 hours') AS ending,
    min(a.start_at) AS oldest_start_at
FROM lead_protection.v_active_holds AS a
GROUP BY a.user_id;

COMMENT ON VIEW lead_protection.v_kpi_holds IS
'The holds in force of each user. By reason: v_leads_on_hold; each of them: v_active_holds.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.active IS 'Holds in force.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.overrun IS 'Of these, open and past the limit of their policy.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.ending IS
'Of these, ending or reaching their limit within 7 days of 24 hours, those overrun included.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.oldest_start_at IS 'Since when the oldest is in force.';
