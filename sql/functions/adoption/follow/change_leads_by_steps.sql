CREATE OR REPLACE FUNCTION lead_protection.change_leads_by_steps(steps lead_protection.lead_step[])
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
UPDATE lead_protection.leads AS l
SET
    user_id = CASE s.kind WHEN 'owner' THEN s.user_id ELSE l.user_id END,
    policy_id = CASE
        WHEN s.kind = 'owner' AND s.user_id IS NOT NULL
            THEN coalesce(s.policy_id, lead_protection.policy_of_user(s.user_id), l.policy_id)
        WHEN s.kind = 'policy' THEN s.policy_id
        ELSE l.policy_id
    END,
    created_at = CASE s.kind
        WHEN 'owner' THEN coalesce(CASE WHEN s.user_id IS NOT NULL THEN s.started_at END, s.at)
        WHEN 'start' THEN s.started_at
        ELSE l.created_at
    END,
    closed_at = CASE s.kind
        WHEN 'opened' THEN NULL
        WHEN 'closed' THEN coalesce(l.closed_at, greatest(coalesce(s.started_at, s.at), l.created_at))
        ELSE l.closed_at
    END,
    closed_as = CASE s.kind WHEN 'opened' THEN NULL WHEN 'closed' THEN s.outcome ELSE l.closed_as END,
    -- For callers a deletion is for good, and a start is only ever moved back; a table of the company's own may do
    -- otherwise, which is logged as lead.changed.
    changed_at = CASE
        WHEN s.kind = 'opened' AND l.closed_as = 'DELETED' OR s.kind = 'start' AND s.started_at > l.created_at
            THEN l.changed_at
        ELSE s.at
    END
FROM unnest(change_leads_by_steps.steps) AS s
WHERE s.lead_id = l.id
$$;

COMMENT ON FUNCTION lead_protection.change_leads_by_steps(lead_protection.lead_step[]) IS
'Writes into leads what one step of each lead says. Internal: take_lead_steps() calls it.';
