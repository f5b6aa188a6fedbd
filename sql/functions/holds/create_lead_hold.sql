CREATE OR REPLACE FUNCTION lead_protection.create_lead_hold(
    lead_id bigint,
    user_id bigint,
    reason text,
    actor_id bigint,
    start_at timestamptz DEFAULT NULL,
    end_at timestamptz DEFAULT NULL,
    dry_run boolean DEFAULT false
)
RETURNS lead_protection.lead_hold_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Its statements are short: to plan them anew each time would take as long as to run them. The one plan must not be one
-- for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    reason_code text;
    created boolean;
    answer lead_protection.lead_hold_result;
BEGIN
    IF create_lead_hold.dry_run THEN
        -- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
        BEGIN
            answer := lead_protection.create_lead_hold(
                create_lead_hold.lead_id, create_lead_hold.user_id, create_lead_hold.reason,
                create_lead_hold.actor_id, create_lead_hold.start_at, create_lead_hold.end_at
            );
            RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a dry run is undone';
        EXCEPTION
            WHEN SQLSTATE 'LP999' THEN
                RETURN answer;
        END;
    END IF;

    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', create_lead_hold.lead_id, 'user_id', create_lead_hold.user_id,
            'actor_id', create_lead_hold.actor_id, 'dry_run', create_lead_hold.dry_run
        )
    );
    reason_code := lead_protection.hold_reason_code(create_lead_hold.reason);
    IF reason_code <> 'OTHER' THEN
        create_lead_hold.reason := reason_code;
    END IF;
    PERFORM lead_protection.require_hold_span(create_lead_hold.start_at, create_lead_hold.end_at);

    PERFORM lead_protection.lock_leads(ARRAY[create_lead_hold.lead_id]);
    -- Not now(): the transaction may have begun before what was committed while it waited for the lock.
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(create_lead_hold.lead_id, decided_at, create_lead_hold.user_id);
    create_lead_hold.start_at := coalesce(create_lead_hold.start_at, decided_at);

    PERFORM lead_protection.require_open_lead(before, may_be_expired => false);

    INSERT INTO lead_protection.lead_holds AS h (lead_id, user_id, reason, reason_code, start_at, end_at, created_by)
    VALUES (
        create_lead_hold.lead_id, create_lead_hold.user_id, create_lead_hold.reason, reason_code,
        create_lead_hold.start_at, create_lead_hold.end_at, create_lead_hold.actor_id
    )
    ON CONFLICT DO NOTHING
    RETURNING h.* INTO hold;
    created := FOUND;

    IF created THEN
        PERFORM lead_protection.require_hold_within_limit(hold, decided_at);
        after := lead_protection.read_lead(hold.lead_id, decided_at);
        PERFORM lead_protection.log_lead_change(
            'lead.hold.created', before, after, decided_at, hold.created_by, hold.reason,
            lead_protection.hold_details(hold)
        );
    ELSE
        after := before;
        -- The index that refused the row tells which one is in its place.
        SELECT h.* INTO STRICT hold
        FROM lead_protection.lead_holds AS h
        WHERE
            h.lead_id = create_lead_hold.lead_id AND h.user_id = create_lead_hold.user_id
            AND CASE
                WHEN create_lead_hold.end_at IS NULL THEN h.end_at IS NULL
                ELSE
                    h.start_at = create_lead_hold.start_at AND h.end_at = create_lead_hold.end_at
                    AND h.released_by IS NULL AND h.overrun_at IS NULL
            END
            AND h.voided_at IS NULL;
    END IF;

    RETURN (
        hold.id, hold.lead_id, hold.user_id, hold.reason, hold.start_at, hold.end_at,
        hold.created_by, hold.created_at, hold.released_by, created, false,
        hold.reason_code, hold.version, decided_at,
        before.state, before.on_hold, before.protection_expires_at, before.reminder_due_at,
        after.state, after.on_hold, after.protection_expires_at, after.reminder_due_at
    )::lead_protection.lead_hold_result;
END;
$$;

COMMENT ON FUNCTION lead_protection.create_lead_hold(
    bigint, bigint, text, bigint, timestamptz, timestamptz, boolean
) IS
'Stops the clock of a lead for its protected user. reason: a code of hold_reasons or free text, 1 to 255 characters '
'(what equals a code but for case, blanks, hyphens and underscores is the code); actor_id: who does it; start_at: '
'from when (null, the default: now, once the lead is locked; may lie in the past, and only the time after the '
'protection began counts); end_at: planned end, null (default): open, until release_lead_hold(). dry_run: true '
'(default: false) answers what the call would answer now and changes nothing: the hold_id is then that of no hold.
Returns the hold, with created = true, and the lead before and after. An open hold changes the expiry only as time '
'passes: see state and on_hold. Repeated while there is an open hold (or, with an end, the same planned hold): '
'returns that hold as it is, with created = false, and changes nothing.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason blank or too long, LP005 '
'start or end outside the years 1900 to 2999, LP006 end not after start, LP007 open hold in the future, LP008 '
'expired, LP009 closed, LP030 the reason looks like a code and is unknown, LP031 the reason does not stop the clock, '
'LP032 over the policy''s limit, LP064 free.
Logs and publishes lead.hold.created in the same transaction. A dry run does it and undoes it: it needs a database '
'that takes writes and waits for, and for a moment holds, the lead''s lock.';
