CREATE OR REPLACE FUNCTION lead_protection.move_leads_to_policy(
    lead_ids bigint[], policy_id bigint, reason text, actor_id bigint, dry_run boolean DEFAULT false
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
    IF move_leads_to_policy.dry_run THEN
        -- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
        BEGIN
            answer := ARRAY(
                SELECT m
                FROM lead_protection.move_leads_to_policy(
                    move_leads_to_policy.lead_ids, move_leads_to_policy.policy_id, move_leads_to_policy.reason,
                    move_leads_to_policy.actor_id
                ) AS m
            );
            RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a dry run is undone';
        EXCEPTION
            WHEN SQLSTATE 'LP999' THEN
                RETURN QUERY SELECT c.* FROM unnest(answer) AS c;
                RETURN;
        END;
    END IF;

    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            -- Null if it is null itself or holds a null.
            'lead_ids', CASE
                WHEN NOT EXISTS (SELECT FROM unnest(move_leads_to_policy.lead_ids) AS g WHERE g IS NULL)
                    THEN to_jsonb(move_leads_to_policy.lead_ids)
            END,
            'policy_id', move_leads_to_policy.policy_id, 'actor_id', move_leads_to_policy.actor_id,
            'dry_run', move_leads_to_policy.dry_run
        )
    );
    PERFORM lead_protection.require_reason(move_leads_to_policy.reason);
    PERFORM lead_protection.require_known_policy(move_leads_to_policy.policy_id);

    PERFORM lead_protection.lock_leads(move_leads_to_policy.lead_ids);
    decided_at := clock_timestamp();
    before := ARRAY(
        SELECT b FROM lead_protection.read_leads(move_leads_to_policy.lead_ids, decided_at) AS b
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
        AND b.state NOT IN ('EXPIRED', 'CLOSED', 'FREE');
    answer := ARRAY(
        SELECT lead_protection.lead_change(b, a, a.policy_id <> b.policy_id, decided_at)
        FROM lead_protection.read_leads(move_leads_to_policy.lead_ids, decided_at) AS a
        INNER JOIN unnest(before) AS b ON a.lead_id = b.lead_id
        ORDER BY a.lead_id
    );

    PERFORM lead_protection.log_lead_changes(
        'lead.protection.moved', before, decided_at, move_leads_to_policy.actor_id, array_agg(b.lead_id),
        array_agg(move_leads_to_policy.reason),
        array_agg(jsonb_build_object('policy_id_before', b.policy_id, 'policy_id', move_leads_to_policy.policy_id))
    )
    FROM unnest(before) AS b
    INNER JOIN (SELECT c.lead_id FROM unnest(answer) AS c WHERE c.changed) AS moved ON b.lead_id = moved.lead_id;
    RETURN QUERY SELECT c.* FROM unnest(answer) AS c;
END;
$$;

COMMENT ON FUNCTION lead_protection.move_leads_to_policy(bigint[], bigint, text, bigint, boolean) IS
'Moves running protections to another policy, or another version of theirs, from now on: the clocks are counted anew '
'from their starts under its terms. Leads that are closed, free, or whose protection has expired stay as they are. '
'dry_run: true (default: false) answers what the call would answer now and changes nothing; add WHERE expires_after IS '
'DISTINCT FROM expires_before for the leads whose expiry would change.
Returns a row for each lead, in the order of their ids; changed is true for those that were moved. Repeated: changed = '
'false for all, and nothing changes.
Errors, with nothing moved: LP001 null argument or a null in lead_ids, LP002 unknown lead, LP004 reason blank or too '
'long, LP019 unknown policy.
Logs and publishes lead.protection.moved for each lead moved, in the same transaction. A dry run does it and undoes '
'it: it needs a database that takes writes and waits for, and for a moment holds, the leads'' locks.';
