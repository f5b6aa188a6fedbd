CREATE OR REPLACE FUNCTION lead_protection.adopted_lead_status(as_of timestamptz DEFAULT now())
RETURNS TABLE (lead_id bigint, status text, is_switched_on boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT
    c.lead_id,
    CASE
        WHEN s.state = 'CLOSED' THEN 'closed'
        WHEN s.state = 'FREE' THEN 'free'
        WHEN s.on_hold THEN 'on hold'
        WHEN s.state = 'REMINDER_DUE' AND c.owed_notice_days IS NOT NULL THEN 'owed a notice'
        WHEN s.state = 'REMINDER_DUE' THEN 'reminder overdue'
        WHEN s.state = 'EXPIRED' AND c.expired_at IS NULL THEN 'expired'
        WHEN s.state = 'EXPIRED' THEN 'expired, recorded'
        WHEN s.state = 'GRACE' THEN 'reminded'
        ELSE 'protected'
    END,
    a.switched_on_at IS NOT NULL
FROM lead_protection.adoptions AS a
INNER JOIN lead_protection.adopted_leads AS l ON a.id = l.adoption_id
INNER JOIN lead_protection.lead_clocks AS c ON l.lead_id = c.lead_id
CROSS JOIN LATERAL lead_protection.clock_at(c, adopted_lead_status.as_of) AS s
WHERE a.kind = 'leads' AND a.disowned_at IS NULL
$$;

COMMENT ON FUNCTION lead_protection.adopted_lead_status(timestamptz) IS
'The leads of adopted tables, and what switching them on at as_of would find each to be. Internal: '
'preview_switch_on() counts them, switch_on_adoption() records them.';
