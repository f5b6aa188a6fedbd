CREATE OR REPLACE VIEW lead_protection.v_kpi_states AS
SELECT
    s.state,
    s.on_hold,
    count(v.lead_id) AS leads
FROM (
    SELECT
        name.state,
        flag.on_hold
    FROM unnest(ARRAY['PROTECTED', 'REMINDER_DUE', 'GRACE', 'EXPIRED', 'CLOSED', 'FREE']) AS name (state)
    CROSS JOIN (VALUES (false), (true)) AS flag (on_hold)
) AS s
LEFT JOIN lead_protection.v_user_lead_protection AS v ON s.state = v.state AND s.on_hold = v.on_hold
GROUP BY s.state, s.on_hold;

COMMENT ON VIEW lead_protection.v_kpi_states IS
'How many leads are in which state now, and on hold; a row for each, also for none. Reads every lead: seconds for '
'millions; v_metrics has what refresh_metrics() counted last.';
COMMENT ON COLUMN lead_protection.v_kpi_states.state IS 'The state.';
COMMENT ON COLUMN lead_protection.v_kpi_states.on_hold IS 'Whether the clock stands still.';
COMMENT ON COLUMN lead_protection.v_kpi_states.leads IS 'How many leads.';
