CREATE OR REPLACE FUNCTION lead_protection.move_leads_to_policy(
    lead_ids bigint[], policy_id bigint, reason text, actor_id bigint
)
RETURNS SETOF lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection [];
    unknown_id bigint;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            -- Null if it is null itself or holds a null.
            'lead_ids', CASE
                WHEN NOT EXISTS (SELECT FROM unnest(move_leads_to_policy.lead_ids) AS g WHERE g IS NULL)
                    THEN to_jsonb(move_leads_to_policy.lead_ids)
            END,
            'policy_id', move_leads_to_policy.policy_id, 'actor_id', move_leads_to_policy.actor_id
        )
    );
    PERFORM lead_protection.require_reason(move_leads_to_policy.reason);
    PERFORM lead_protection.require_known_policy(move_leads_to_policy.policy_id);

    PERFORM lead_protection.lock_leads(move_leads_to_policy.lead_ids);
    decided_at := clock_timestamp();
    before := ARRAY(
        SELECT b FROM lead_protection.show_leads(move_leads_to_policy.lead_ids, decided_at) AS b
    );
    SELECT min(given.lead_id) INTO unknown_id
    FROM unnest(move_leads_to_policy.lead_ids) AS given (lead_id)
    LEFT JOIN unnest(before) AS b ON given.lead_id = b.lead_id
    WHERE b.lead_id IS NULL;
    IF unknown_id IS NOT NULL THEN
        PERFORM lead_protection.require_lead(unknown_id, decided_at);
    END IF;

    UPDATE lead_protection.leads AS l
    SET policy_id = move_leads_to_policy.policy_id, changed_at = decided_at
    FROM unnest(before) AS b
    WHERE
        l.id = b.lead_id AND l.policy_id <> move_leads_to_policy.policy_id
        AND b.state NOT IN ('EXPIRED', 'CLOSED');

    INSERT INTO lead_protection.protection_log (
        lead_id, user_id, event_type, occurred_at, actor_id, reason,
        state_before, expires_before, state_after, expires_after, details
    )
    SELECT
        a.lead_id, a.user_id, 'lead.protection.moved', decided_at, move_leads_to_policy.actor_id,
        move_leads_to_policy.reason, b.state, b.protection_expires_at, a.state, a.protection_expires_at,
        jsonb_build_object('policy_id_before', b.policy_id, 'policy_id', a.policy_id)
    FROM lead_protection.show_leads(move_leads_to_policy.lead_ids, decided_at) AS a
    INNER JOIN unnest(before) AS b ON a.lead_id = b.lead_id
    WHERE a.policy_id <> b.policy_id;

    RETURN QUERY
    SELECT c.*
    FROM lead_protection.show_leads(move_leads_to_policy.lead_ids, decided_at) AS a
    INNER JOIN unnest(before) AS b ON a.lead_id = b.lead_id
    CROSS JOIN LATERAL lead_protection.lead_change(b, a, a.policy_id <> b.policy_id, decided_at) AS c
    ORDER BY a.lead_id;
END;
$$;

COMMENT ON FUNCTION lead_protection.move_leads_to_policy(bigint[], bigint, text, bigint) IS
'Moves running protections to another policy, or another version of theirs, from now on: the clocks are counted anew '
'from their starts under its terms. Leads that are closed or whose protection has expired stay as they are. See what '
'it would do with preview_policy_move().
Returns a row for each lead, in the order of their ids; changed is true for those that were moved. Repeated: changed = '
'false for all, and nothing changes.
Errors, with nothing moved: LP001 null argument or a null in lead_ids, LP002 unknown lead, LP004 reason blank or too '
'long, LP019 unknown policy.
Logs and publishes lead.protection.moved for each lead moved, in the same transaction.';
