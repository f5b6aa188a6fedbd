CREATE OR REPLACE VIEW lead_protection.v_kpi_reactivations AS
SELECT
    g.user_id,
    count(*) AS reactivations,
    count(*) FILTER (WHERE g.state_before = 'EXPIRED') AS had_expired,
    max(g.occurred_at) AS last_at
FROM lead_protection.protection_log AS g
WHERE g.event_type = 'lead.protection.reactivated' AND g.occurred_at >= now() - INTERVAL '168 hours'
GROUP BY g.user_id;

COMMENT ON VIEW lead_protection.v_kpi_reactivations IS
'The leads of each user whose announced end did not come, found within the last 7 days of 24 hours. Users without any '
'have no row.';
COMMENT ON COLUMN lead_protection.v_kpi_reactivations.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_kpi_reactivations.reactivations IS 'All of them.';
COMMENT ON COLUMN lead_protection.v_kpi_reactivations.had_expired IS
'Of these, the protection had ended; the others had been reminded of.';
COMMENT ON COLUMN lead_protection.v_kpi_reactivations.last_at IS 'When the last was found.';
