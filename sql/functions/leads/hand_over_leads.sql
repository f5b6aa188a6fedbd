CREATE OR REPLACE FUNCTION lead_protection.hand_over_leads(
    before lead_protection.v_user_lead_protection[],
    new_user_id bigint,
    event_type text,
    decided_at timestamptz,
    actor_id bigint,
    reason text,
    details jsonb DEFAULT '{}'
)
RETURNS SETOF lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
-- Planned for the list that is given, and not for the empty tables that the statistics may speak of.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    lead_ids CONSTANT bigint [] := ARRAY(SELECT b.lead_id FROM unnest(hand_over_leads.before) AS b ORDER BY b.lead_id);
    without_holds lead_protection.v_user_lead_protection [];
BEGIN
    -- An expiry that no run of the pipeline has seen yet must not be lost.
    PERFORM lead_protection.record_expiries_of(lead_ids, hand_over_leads.decided_at);
    -- The old protection is over, and with it all that was planned for it: none of it comes back with the lead.
    PERFORM lead_protection.end_holds(b, hand_over_leads.decided_at, hand_over_leads.actor_id, with_planned => true)
    FROM unnest(hand_over_leads.before) AS b;
    UPDATE lead_protection.lead_expiries AS x
    SET reactivated_at = greatest(hand_over_leads.decided_at, x.recorded_at)
    WHERE x.lead_id = ANY(lead_ids) AND x.reactivated_at IS NULL;

    -- The log tells one change after the other, the answer tells all that the call did.
    without_holds := ARRAY(SELECT w FROM lead_protection.read_leads(lead_ids, hand_over_leads.decided_at) AS w);
    UPDATE lead_protection.leads AS l
    SET
        user_id = hand_over_leads.new_user_id,
        policy_id = CASE
            WHEN hand_over_leads.new_user_id IS NULL THEN l.policy_id
            ELSE coalesce(lead_protection.policy_of_user(hand_over_leads.new_user_id), l.policy_id)
        END,
        -- By these two record_lead_changes() tells a new protection of the same user from a corrected start.
        created_at = hand_over_leads.decided_at,
        changed_at = hand_over_leads.decided_at
    WHERE l.id = ANY(lead_ids);

    PERFORM lead_protection.log_lead_changes(
        hand_over_leads.event_type, without_holds, hand_over_leads.decided_at, hand_over_leads.actor_id,
        array_agg(b.lead_id), array_agg(hand_over_leads.reason),
        array_agg(
            hand_over_leads.details || jsonb_build_object(
                'user_id_before', b.user_id,
                -- Of terms that nobody has there is nothing to tell.
                'policy_id_before', CASE WHEN l.user_id IS NOT NULL THEN b.policy_id END,
                'policy_id', CASE WHEN l.user_id IS NOT NULL THEN l.policy_id END
            )
        )
    )
    FROM unnest(hand_over_leads.before) AS b
    INNER JOIN lead_protection.leads AS l ON b.lead_id = l.id;
    RETURN QUERY
    SELECT c.*
    FROM unnest(hand_over_leads.before) AS b
    INNER JOIN lead_protection.read_leads(lead_ids, hand_over_leads.decided_at) AS a ON b.lead_id = a.lead_id
    CROSS JOIN LATERAL lead_protection.lead_change(b, a, true, hand_over_leads.decided_at) AS c;
END;
$$;

COMMENT ON FUNCTION lead_protection.hand_over_leads(
    lead_protection.v_user_lead_protection[], bigint, text, timestamptz, bigint, text, jsonb
) IS
'Ends the protections of before at decided_at and gives the leads to new_user_id, whose new protections begin then, '
'or, if that is null, to nobody. Records expiries that were not recorded yet, ends all holds, logs and publishes '
'event_type with details. Returns the leads before and after. Internal: transfer_lead(), transfer_leads() and '
'give_back_lead() call it, after they have locked the leads and checked them.';
