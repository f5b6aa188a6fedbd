CREATE OR REPLACE FUNCTION lead_protection.assign_user_policy(user_id bigint, policy_id bigint, actor_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object('user_id', assign_user_policy.user_id, 'actor_id', assign_user_policy.actor_id)
    );
    IF assign_user_policy.policy_id IS NOT NULL THEN
        PERFORM lead_protection.require_known_policy(assign_user_policy.policy_id);
    END IF;

    -- Without a lock two equal calls might both be recorded; which policy the user has would be clear all the same,
    -- from the order of the ids.
    INSERT INTO lead_protection.lock_rows (lock_name)
    VALUES (format('policy of user %s', assign_user_policy.user_id))
    ON CONFLICT DO NOTHING;
    PERFORM
    FROM lead_protection.lock_rows AS l
    WHERE l.lock_name = format('policy of user %s', assign_user_policy.user_id)
    FOR UPDATE;
    IF (
        SELECT a.policy_id
        FROM lead_protection.policy_assignments AS a
        WHERE a.user_id = assign_user_policy.user_id
        ORDER BY a.id DESC
        LIMIT 1
    ) IS NOT DISTINCT FROM assign_user_policy.policy_id THEN
        RETURN false;
    END IF;

    INSERT INTO lead_protection.policy_assignments (user_id, policy_id, assigned_by)
    VALUES (assign_user_policy.user_id, assign_user_policy.policy_id, assign_user_policy.actor_id);
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lead_protection.assign_user_policy(bigint, bigint, bigint) IS
'Gives a user a policy of their own: that of leads which they bring in or get by a transfer from now on. policy_id '
'null: they get the default again. Running clocks keep theirs. actor_id: who decides it. Recorded in '
'policy_assignments.
Returns true. Repeated, when the user has that policy, or none, already: false, and nothing is written.
Errors: LP001 user_id or actor_id null, LP019 unknown policy.';
