CREATE OR REPLACE FUNCTION lead_protection.log_new_leads(lead_ids bigint[], decided_at timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- One plan for one lead and for many, which must not be one for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    PERFORM lead_protection.write_log(
        array_agg(
            lead_protection.log_entry(
                c.lead_id, c.user_id, 'lead.created', log_new_leads.decided_at, l.created_by, NULL,
                NULL, NULL, s.state, s.protection_expires_at,
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'started_at', lead_protection.instant_text(c.started_at),
                        -- Of terms that nobody has there is nothing to tell.
                        'policy_id', CASE WHEN c.user_id IS NOT NULL THEN c.policy_id END,
                        'closed_at', lead_protection.instant_text(c.closed_at),
                        'request_key', l.request_key
                    )
                )
            )
        )
    )
    FROM lead_protection.lead_clocks AS c
    INNER JOIN lead_protection.leads AS l ON c.lead_id = l.id
    CROSS JOIN LATERAL lead_protection.clock_at(c, log_new_leads.decided_at) AS s
    WHERE c.lead_id = ANY(log_new_leads.lead_ids);
END;
$$;

COMMENT ON FUNCTION lead_protection.log_new_leads(bigint[], timestamptz) IS
'Logs, and by the log''s trigger publishes, leads that came in at decided_at as lead.created. Internal: the trigger on '
'leads calls it.';
