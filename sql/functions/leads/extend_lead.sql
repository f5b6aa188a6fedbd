CREATE OR REPLACE FUNCTION lead_protection.extend_lead(
    lead_id bigint,
    user_id bigint,
    days integer,
    reason text,
    approved_by bigint,
    actor_id bigint,
    request_key text,
    dry_run boolean DEFAULT false
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    extension lead_protection.lead_extensions;
    granted bigint;
    granted_limit integer;
    by_another boolean;
    answer lead_protection.lead_change_result;
BEGIN
    IF extend_lead.dry_run THEN
        -- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
        BEGIN
            answer := lead_protection.extend_lead(
                extend_lead.lead_id, extend_lead.user_id, extend_lead.days, extend_lead.reason,
                extend_lead.approved_by, extend_lead.actor_id, extend_lead.request_key
            );
            RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a dry run is undone';
        EXCEPTION
            WHEN SQLSTATE 'LP999' THEN
                RETURN answer;
        END;
    END IF;

    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', extend_lead.lead_id, 'user_id', extend_lead.user_id, 'days', extend_lead.days,
            'approved_by', extend_lead.approved_by, 'actor_id', extend_lead.actor_id,
            'request_key', extend_lead.request_key, 'dry_run', extend_lead.dry_run
        )
    );
    PERFORM lead_protection.require_reason(extend_lead.reason);
    PERFORM lead_protection.require_reason(extend_lead.request_key, 'request_key');
    IF extend_lead.days < 1 THEN
        RAISE EXCEPTION 'an extension needs at least 1 day'
            USING ERRCODE = 'LP023',
            DETAIL = format('Given: %s days.', extend_lead.days),
            HINT = 'An extension only ever adds days, and is never taken back.';
    END IF;

    PERFORM lead_protection.lock_leads(ARRAY[extend_lead.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(extend_lead.lead_id, decided_at);
    SELECT x.* INTO extension
    FROM lead_protection.lead_extensions AS x
    WHERE x.lead_id = extend_lead.lead_id AND x.request_key = extend_lead.request_key;
    IF FOUND THEN
        IF (extension.user_id, extension.days) <> (extend_lead.user_id, extend_lead.days) THEN
            RAISE EXCEPTION 'request % of lead % was another one', extend_lead.request_key, extend_lead.lead_id
                USING ERRCODE = 'LP020',
                DETAIL = format('It granted %s days to user %s.', extension.days, extension.user_id),
                HINT = 'Give each request a key of its own.';
        END IF;
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    before := lead_protection.require_lead(extend_lead.lead_id, decided_at, extend_lead.user_id);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => false);

    SELECT
        p.extension_limit_days,
        (
            SELECT coalesce(sum(x.days), 0)
            FROM lead_protection.lead_extensions AS x
            WHERE
                x.lead_id = before.lead_id AND x.user_id = before.user_id
                AND x.granted_at >= lead_protection.limits_count_from(
                    before.lead_id, before.user_id, before.created_at, before.policy_id
                )
        ),
        p.approval_by_another
    INTO STRICT granted_limit, granted, by_another
    FROM lead_protection.protection_policies AS p
    WHERE p.id = before.policy_id;
    IF by_another AND extend_lead.approved_by = extend_lead.actor_id THEN
        RAISE EXCEPTION 'user % cannot enter what they approved themselves', extend_lead.actor_id
            USING ERRCODE = 'LP081',
            DETAIL = format(
                'The policy of lead %s wants another''s approval; approved_by and actor_id are %s.', before.lead_id,
                extend_lead.actor_id
            ),
            HINT = 'Let somebody else approve it, or somebody else enter it.';
    END IF;
    IF granted + extend_lead.days > granted_limit THEN
        RAISE EXCEPTION 'lead % cannot be extended by % days', before.lead_id, extend_lead.days
            USING ERRCODE = 'LP024',
            DETAIL = format('Its policy allows %s days in all, and %s are granted.', granted_limit, granted),
            HINT = 'Ask for fewer days, or move the lead to a policy that allows more.';
    END IF;

    INSERT INTO lead_protection.lead_extensions AS x (
        lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key
    )
    VALUES (
        before.lead_id, before.user_id, extend_lead.days, extend_lead.reason, extend_lead.approved_by,
        extend_lead.actor_id, decided_at, extend_lead.request_key
    )
    -- Under REPEATABLE READ: one that was made since the transaction began, which is an error 40001.
    ON CONFLICT DO NOTHING
    RETURNING x.* INTO extension;
    after := lead_protection.read_lead(before.lead_id, decided_at);

    RETURN lead_protection.log_lead_change(
        'lead.protection.extended', before, after, decided_at, extend_lead.actor_id, extend_lead.reason,
        jsonb_build_object(
            'extension_id', extension.id, 'days', extension.days, 'approved_by', extension.approved_by,
            'request_key', extension.request_key
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.extend_lead(bigint, bigint, integer, text, bigint, bigint, text, boolean) IS
'Extends a running protection by days of the local calendar, within the policy''s extension_limit_days for all '
'extensions of the user together, those of earlier protections of the lead that began within the base period before '
'this one included. approved_by: who approved it; actor_id: who enters it, another one where the policy has '
'approval_by_another; request_key: the caller''s key of the request, 1 to 255 characters. Under the parallel rule the '
'days are added to the base clock for good, and to the idle clock until the next qualified activity restarts that. '
'dry_run: true (default: false) answers what the call would answer now and changes nothing.
Returns the lead before and after, with changed = true. Repeated with the same request_key: changed = false, and '
'nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason or request_key blank or too '
'long, LP008 expired, LP009 closed, LP020 the key was used for another user or number of days, LP023 days below 1, '
'LP024 over the policy''s limit, LP064 free, LP081 approved by whoever enters it.
Logs and publishes lead.protection.extended in the same transaction. A dry run does it and undoes it: it needs a '
'database that takes writes and waits for, and for a moment holds, the lead''s lock.';
