CREATE OR REPLACE FUNCTION lead_protection.hand_over_lead(
    before lead_protection.v_user_lead_protection,
    new_user_id bigint,
    event_type text,
    decided_at timestamptz,
    actor_id bigint,
    reason text
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    without_holds lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
BEGIN
    -- An expiry that no run of the pipeline has seen yet must not be lost.
    PERFORM lead_protection.record_expiries_of(ARRAY[hand_over_lead.before.lead_id], hand_over_lead.decided_at);
    -- The old protection is over, and with it all that was planned for it: none of it comes back with the lead.
    PERFORM lead_protection.end_holds(
        hand_over_lead.before, hand_over_lead.decided_at, hand_over_lead.actor_id, with_planned => true
    );
    UPDATE lead_protection.lead_expiries AS x
    SET reactivated_at = greatest(hand_over_lead.decided_at, x.recorded_at)
    WHERE x.lead_id = hand_over_lead.before.lead_id AND x.reactivated_at IS NULL;

    -- The log tells one change after the other, the answer tells all that the call did.
    without_holds := lead_protection.read_lead(hand_over_lead.before.lead_id, hand_over_lead.decided_at);
    UPDATE lead_protection.leads AS l
    SET
        user_id = hand_over_lead.new_user_id,
        policy_id = CASE
            WHEN hand_over_lead.new_user_id IS NULL THEN l.policy_id
            ELSE coalesce(lead_protection.policy_of_user(hand_over_lead.new_user_id), l.policy_id)
        END,
        -- By these two record_lead_changes() tells a new protection of the same user from a corrected start.
        created_at = hand_over_lead.decided_at,
        changed_at = hand_over_lead.decided_at
    WHERE l.id = hand_over_lead.before.lead_id;
    after := lead_protection.read_lead(hand_over_lead.before.lead_id, hand_over_lead.decided_at);

    PERFORM lead_protection.log_lead_change(
        hand_over_lead.event_type, without_holds, after, hand_over_lead.decided_at, hand_over_lead.actor_id,
        hand_over_lead.reason,
        jsonb_build_object(
            'user_id_before', hand_over_lead.before.user_id,
            -- Of terms that nobody has there is nothing to tell.
            'policy_id_before', CASE WHEN after.user_id IS NOT NULL THEN hand_over_lead.before.policy_id END,
            'policy_id', CASE WHEN after.user_id IS NOT NULL THEN after.policy_id END
        )
    );
    RETURN lead_protection.lead_change(hand_over_lead.before, after, true, hand_over_lead.decided_at);
END;
$$;

COMMENT ON FUNCTION lead_protection.hand_over_lead(
    lead_protection.v_user_lead_protection, bigint, text, timestamptz, bigint, text
) IS
'Ends the protection of before at decided_at and gives the lead to new_user_id, whose new protection begins then, or, '
'if that is null, to nobody. Records an expiry that was not recorded yet, ends all holds, logs and publishes '
'event_type. Returns the lead before and after. Internal: transfer_lead() and give_back_lead() call it, after they '
'have locked the lead and checked it.';
