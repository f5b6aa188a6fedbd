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
    answer lead_protection.lead_change_result [];
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
    answer := ARRAY(
        SELECT lead_protection.lead_change(b, a, a.policy_id <> b.policy_id, decided_at)
        FROM lead_protection.show_leads(move_leads_to_policy.lead_ids, decided_at) AS a
        INNER JOIN unnest(before) AS b ON a.lead_id = b.lead_id
        ORDER BY a.lead_id
    );

    PERFORM lead_protection.log_lead_changes(
        'lead.protection.moved', before, decided_at, move_leads_to_policy.actor_id, array_agg(b.lead_id),
        array_agg(move_leads_to_policy.reason),
        array_agg(jsonb_build_object('policy_id_before', b.policy_id, 'policy_id', move_leads_to_policy.policy_id))
    )
    FROM unnest(before) AS b
    INNER JOIN unnest(answer) AS c ON b.lead_id = c.lead_id
    WHERE c.changed;
    RETURN QUERY SELECT c.* FROM unnest(answer) AS c;
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
