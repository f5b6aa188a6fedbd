CREATE OR REPLACE FUNCTION lead_protection.lead_log(lead_id bigint)
RETURNS TABLE (
    occurred_at timestamptz, event_type text, meaning text, user_id bigint, actor_id bigint,
    state_before text, expires_before timestamptz, state_after text, expires_after timestamptz,
    details jsonb, event_id uuid
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_arguments(jsonb_build_object('lead_id', lead_log.lead_id));
    PERFORM lead_protection.require_lead(lead_log.lead_id, now());
    RETURN QUERY
    SELECT
        g.occurred_at, g.event_type, t.meaning, g.user_id, g.actor_id,
        g.state_before, g.expires_before, g.state_after, g.expires_after,
        -- What its event says: free text of others is not for everybody who may see the lead.
        g.details - 'evidence', g.event_id
    FROM lead_protection.protection_log AS g
    LEFT JOIN lead_protection.event_types AS t ON g.event_type = t.type
    WHERE g.lead_id = lead_log.lead_id
    ORDER BY g.occurred_at, g.recorded_at;
END;
$$;

COMMENT ON FUNCTION lead_protection.lead_log(bigint) IS
'What happened to a lead, in order, for an application to show it to the lead''s user: when, what (event_type, and its '
'meaning in English), whose the lead was then, who did it (actor_id; null: the system, or a row was written by hand), '
'state and expiry before and after, and the facts it rests on, as in the event''s payload. Reasons and evidence are '
'left out: they are free text that others entered and may name a person. A hold''s reason is in lead_holds, an '
'extension''s in lead_extensions. Instants are timestamptz.
Errors: LP001 null argument, LP002 unknown lead.';
