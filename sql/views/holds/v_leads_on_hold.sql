CREATE OR REPLACE VIEW lead_protection.v_leads_on_hold AS
SELECT
    a.user_id,
    a.reason_code,
    count(DISTINCT a.lead_id) AS leads,
    min(a.start_at) AS oldest_start_at,
    count(*) FILTER (WHERE a.overrun) AS overrun
FROM lead_protection.v_active_holds AS a
GROUP BY a.user_id, a.reason_code;

COMMENT ON VIEW lead_protection.v_leads_on_hold IS
'How many leads are on hold now, by user and reason.';
COMMENT ON COLUMN lead_protection.v_leads_on_hold.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.v_leads_on_hold.reason_code IS 'The reason, in hold_reasons.';
COMMENT ON COLUMN lead_protection.v_leads_on_hold.leads IS 'Leads with a hold in force for that reason.';
COMMENT ON COLUMN lead_protection.v_leads_on_hold.oldest_start_at IS 'Since when the oldest of them is in force.';
COMMENT ON COLUMN lead_protection.v_leads_on_hold.overrun IS 'Holds that have passed their limit.';
