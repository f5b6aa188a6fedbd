CREATE OR REPLACE FUNCTION lead_protection.close_lead_as(
    before lead_protection.v_user_lead_protection,
    outcome text,
    event_type text,
    decided_at timestamptz,
    actor_id bigint,
    reason text,
    details jsonb
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    without_holds lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
BEGIN
    -- An expiry that no run of the pipeline has seen yet must not be lost.
    PERFORM lead_protection.record_expiries_of(ARRAY[close_lead_as.before.lead_id], close_lead_as.decided_at);
    PERFORM lead_protection.end_holds(
        close_lead_as.before, close_lead_as.decided_at, close_lead_as.actor_id, with_planned => false
    );
    -- The log tells one change after the other, the answer tells all that this call did.
    without_holds := lead_protection.read_lead(close_lead_as.before.lead_id, close_lead_as.decided_at);
    UPDATE lead_protection.leads AS l
    SET
        closed_at = coalesce(l.closed_at, close_lead_as.decided_at),
        closed_as = close_lead_as.outcome,
        changed_at = close_lead_as.decided_at
    WHERE l.id = close_lead_as.before.lead_id;
    after := lead_protection.read_lead(close_lead_as.before.lead_id, close_lead_as.decided_at);

    PERFORM lead_protection.log_lead_change(
        close_lead_as.event_type, without_holds, after, close_lead_as.decided_at, close_lead_as.actor_id,
        close_lead_as.reason, close_lead_as.details
    );
    RETURN lead_protection.lead_change(close_lead_as.before, after, true, close_lead_as.decided_at);
END;
$$;

COMMENT ON FUNCTION lead_protection.close_lead_as(
    lead_protection.v_user_lead_protection, text, text, timestamptz, bigint, text, jsonb
) IS
'Closes the lead of before at decided_at, or leaves it closed since when it was, with that outcome; records an expiry '
'that was not recorded yet, ends the holds in force, logs and publishes event_type. Returns the lead before and after. '
'Internal: close_lead() and delete_lead() call it, after they have locked the lead and checked it.';
