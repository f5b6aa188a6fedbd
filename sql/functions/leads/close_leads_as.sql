CREATE OR REPLACE FUNCTION lead_protection.close_leads_as(
    before lead_protection.v_user_lead_protection[],
    outcome text,
    event_type text,
    decided_at timestamptz,
    actor_id bigint,
    reason text,
    details jsonb
)
RETURNS SETOF lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
-- Planned for the list that is given, and not for the empty tables that the statistics may speak of.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    lead_ids CONSTANT bigint [] := ARRAY(SELECT b.lead_id FROM unnest(close_leads_as.before) AS b ORDER BY b.lead_id);
    without_holds lead_protection.v_user_lead_protection [];
BEGIN
    -- An expiry that no run of the pipeline has seen yet must not be lost.
    PERFORM lead_protection.record_expiries_of(lead_ids, close_leads_as.decided_at);
    PERFORM lead_protection.end_holds(b, close_leads_as.decided_at, close_leads_as.actor_id, with_planned => false)
    FROM unnest(close_leads_as.before) AS b;
    -- The log tells one change after the other, the answer tells all that this call did.
    without_holds := ARRAY(SELECT w FROM lead_protection.read_leads(lead_ids, close_leads_as.decided_at) AS w);
    UPDATE lead_protection.leads AS l
    SET
        closed_at = coalesce(l.closed_at, close_leads_as.decided_at),
        closed_as = close_leads_as.outcome,
        changed_at = close_leads_as.decided_at
    WHERE l.id = ANY(lead_ids);

    PERFORM lead_protection.log_lead_changes(
        close_leads_as.event_type, without_holds, close_leads_as.decided_at, close_leads_as.actor_id,
        array_agg(b.lead_id), array_agg(close_leads_as.reason), array_agg(close_leads_as.details)
    )
    FROM unnest(close_leads_as.before) AS b;
    RETURN QUERY
    SELECT c.*
    FROM unnest(close_leads_as.before) AS b
    INNER JOIN lead_protection.read_leads(lead_ids, close_leads_as.decided_at) AS a ON b.lead_id = a.lead_id
    CROSS JOIN LATERAL lead_protection.lead_change(b, a, true, close_leads_as.decided_at) AS c;
END;
$$;

COMMENT ON FUNCTION lead_protection.close_leads_as(
    lead_protection.v_user_lead_protection[], text, text, timestamptz, bigint, text, jsonb
) IS
'Closes the leads of before at decided_at, or leaves them closed since when they were, with that outcome; records '
'expiries that were not recorded yet, ends the holds in force, logs and publishes event_type with details. Returns the '
'leads before and after. Internal: close_lead(), close_leads() and delete_lead() call it, after they have locked the '
'leads and checked them.';
