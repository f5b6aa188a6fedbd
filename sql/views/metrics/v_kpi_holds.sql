CREATE OR REPLACE VIEW lead_protection.v_kpi_holds AS
SELECT
    a.user_id,
    a.reason_code,
    count(*) AS active,
    count(DISTINCT a.lead_id) AS leads,
    count(*) FILTER (WHERE a.overrun) AS overrun,
    count(*) FILTER (WHERE a.ends_at < now() + INTERVAL '168 hours') AS ending,
    min(a.start_at) AS oldest_start_at
FROM lead_protection.v_active_holds AS a
GROUP BY a.user_id, a.reason_code;

COMMENT ON VIEW lead_protection.v_kpi_holds IS
'The holds in force, by user and reason. Each of them: v_active_holds.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.reason_code IS 'The reason, in hold_reasons.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.active IS 'Holds in force.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.leads IS 'Leads with such a hold.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.overrun IS 'Of the holds, open and past the limit of their policy.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.ending IS
'Of the holds, ending or reaching their limit within 7 days of 24 hours, those overrun included.';
COMMENT ON COLUMN lead_protection.v_kpi_holds.oldest_start_at IS 'Since when the oldest is in force.';
