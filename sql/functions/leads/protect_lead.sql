CREATE OR REPLACE FUNCTION lead_protection.protect_lead(
    user_id bigint,
    actor_id bigint,
    request_key text,
    started_at timestamptz DEFAULT NULL,
    lead_id bigint DEFAULT NULL,
    policy_id bigint DEFAULT NULL
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    decided_at timestamptz;
    number bigint;
    lead lead_protection.leads;
    is_new boolean;
    entry lead_protection.protection_log;
    nothing lead_protection.v_user_lead_protection;
    now_shown lead_protection.v_user_lead_protection;
    -- CURRENT_USER is the owner in here.
    caller CONSTANT name := lead_protection.calling_role();
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'user_id', protect_lead.user_id, 'actor_id', protect_lead.actor_id,
            'request_key', protect_lead.request_key
        )
    );
    PERFORM lead_protection.require_reason(protect_lead.request_key, 'request_key');
    PERFORM lead_protection.require_instant(protect_lead.started_at, 'started_at', may_be_ahead => false);
    IF protect_lead.policy_id IS NOT NULL THEN
        IF NOT has_function_privilege(
            caller, 'lead_protection.move_leads_to_policy(bigint[], bigint, text, bigint, boolean)', 'EXECUTE'
        ) THEN
            RAISE EXCEPTION 'role % may not choose the policy of a lead', caller
                USING ERRCODE = 'LP074',
                DETAIL = format('Given: policy_id %s.', protect_lead.policy_id),
                HINT = 'Leave policy_id out: the lead gets the policy of its user. Another one is for operators.';
        END IF;
        PERFORM lead_protection.require_known_policy(protect_lead.policy_id);
    END IF;

    decided_at := clock_timestamp();
    number := coalesce(protect_lead.lead_id, nextval(pg_get_serial_sequence('lead_protection.leads', 'id')));
    BEGIN
        INSERT INTO lead_protection.leads AS l (
            id, user_id, policy_id, created_at, recorded_at, created_by, request_key
        )
        VALUES (
            number, protect_lead.user_id, protect_lead.policy_id,
            -- One that lies ahead within the allowed skew is now; a repeated call tells by recorded_at that it did.
            least(protect_lead.started_at, decided_at), decided_at, protect_lead.actor_id, protect_lead.request_key
        )
        -- The key of a request that is not committed yet makes the second one wait.
        ON CONFLICT (request_key) WHERE request_key IS NOT NULL DO NOTHING
        RETURNING l.* INTO lead;
        is_new := FOUND;
    EXCEPTION
        WHEN unique_violation THEN
            RAISE EXCEPTION 'there is a lead % already', number
                USING ERRCODE = 'LP075',
                DETAIL = format('It was not entered by request %s.', protect_lead.request_key),
                HINT = CASE
                    WHEN protect_lead.lead_id IS NULL
                        THEN 'The sequence does not follow numbers that were given: give one, or call it again, which '
                            'takes the next.'
                    ELSE 'Give another lead_id, or none. To give that lead to a user: transfer_lead().'
                END;
    END;
    IF NOT is_new THEN
        SELECT l.* INTO STRICT lead FROM lead_protection.leads AS l WHERE l.request_key = protect_lead.request_key;
    END IF;
    SELECT g.* INTO STRICT entry
    FROM lead_protection.protection_log AS g
    WHERE g.lead_id = lead.id AND g.event_type = 'lead.created';
    IF is_new THEN
        RETURN lead_protection.lead_change(
            nothing, lead_protection.read_lead(lead.id, entry.occurred_at), true, entry.occurred_at
        );
    END IF;

    IF
        protect_lead.user_id <> entry.user_id OR protect_lead.lead_id <> lead.id
        OR protect_lead.policy_id::text <> entry.details ->> 'policy_id'
        OR lead_protection.instant_text(least(protect_lead.started_at, lead.recorded_at))
        <> entry.details ->> 'started_at'
    THEN
        RAISE EXCEPTION 'request % was another one', protect_lead.request_key
            USING ERRCODE = 'LP020',
            DETAIL = format(
                'It entered lead %s for user %s from %s on, under policy %s.', lead.id, entry.user_id,
                entry.details ->> 'started_at', entry.details ->> 'policy_id'
            ),
            HINT = 'Give each request a key of its own; repeat one with the same arguments.';
    END IF;
    PERFORM lead_protection.lock_leads(ARRAY[lead.id]);
    decided_at := clock_timestamp();
    now_shown := lead_protection.read_lead(lead.id, decided_at);
    RETURN lead_protection.lead_change(now_shown, now_shown, false, decided_at);
END;
$$;

COMMENT ON FUNCTION lead_protection.protect_lead(bigint, bigint, text, timestamptz, bigint, bigint) IS
'Enters a lead, which begins its protection for user_id under the policy of that user. actor_id: who does it; '
'request_key: the caller''s key of the request, 1 to 255 characters; started_at: since when it is protected (null, the '
'default: now; may lie in the past); lead_id: the lead''s number (null, the default: the next one); policy_id: another '
'policy, for operators only (null, the default: the user''s, or else the default).
Returns the lead as it is now, with changed = true; what was before is null. Repeated with the same request_key: the '
'lead that it entered, as it is now, with changed = false, and nothing changes.
Errors: LP001 user_id, actor_id or request_key null, LP004 request_key blank or too long, LP005 start outside the '
'years 1900 to 2999, LP010 start more than 5 minutes ahead, LP017 there is no policy, LP019 unknown policy, LP020 the '
'key was used for another lead, user, start or policy, LP065 a number of an adopted table, LP074 policy_id by a role '
'that may not move leads to a policy, LP075 there is a lead of that number.
Logs and publishes lead.created in the same transaction, as an INSERT into leads does.';
