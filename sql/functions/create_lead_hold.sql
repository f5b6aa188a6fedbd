CREATE OR REPLACE FUNCTION lead_protection.create_lead_hold(
    lead_id bigint,
    user_id bigint,
    reason text,
    actor_id bigint,
    start_at timestamptz DEFAULT now(),
    end_at timestamptz DEFAULT NULL
)
RETURNS lead_protection.lead_hold_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    created boolean;
BEGIN
    IF num_nulls(create_lead_hold.lead_id, create_lead_hold.user_id, create_lead_hold.actor_id, create_lead_hold.start_at) > 0 THEN
        RAISE EXCEPTION 'a hold needs lead_id, user_id, actor_id and start_at'
            USING ERRCODE = 'LP001',
            DETAIL = format(
                'Given: lead_id %s, user_id %s, actor_id %s, start_at %s.',
                coalesce(create_lead_hold.lead_id::text, 'null'), coalesce(create_lead_hold.user_id::text, 'null'),
                coalesce(create_lead_hold.actor_id::text, 'null'), coalesce(create_lead_hold.start_at::text, 'null')
            ),
            HINT = 'Leave start_at out to stop the clock now.';
    END IF;
    IF create_lead_hold.reason IS NULL OR create_lead_hold.reason !~ '\S' OR length(create_lead_hold.reason) > 255 THEN
        RAISE EXCEPTION 'a hold needs a reason of 1 to 255 characters that is not blank'
            USING ERRCODE = 'LP004',
            DETAIL = format('Given: %s characters.', coalesce(length(create_lead_hold.reason), 0)),
            HINT = 'Say why the clock stops: the protected user and an auditor will read it.';
    END IF;
    IF NOT isfinite(create_lead_hold.start_at) OR NOT isfinite(create_lead_hold.end_at) THEN
        RAISE EXCEPTION 'a hold cannot start or end at infinity'
            USING ERRCODE = 'LP005',
            DETAIL = format('Given: from %s to %s.', create_lead_hold.start_at, create_lead_hold.end_at),
            HINT = 'For a hold without a planned end leave end_at out.';
    END IF;
    IF create_lead_hold.end_at <= create_lead_hold.start_at THEN
        RAISE EXCEPTION 'a hold must end after it starts'
            USING ERRCODE = 'LP006',
            DETAIL = format('Given: from %s to %s.', create_lead_hold.start_at, create_lead_hold.end_at),
            HINT = 'Check the order of the two instants and their time zones.';
    END IF;
    IF create_lead_hold.end_at IS NULL AND lead_protection.lies_ahead(create_lead_hold.start_at) THEN
        RAISE EXCEPTION 'a hold without an end cannot start in the future, at %', create_lead_hold.start_at
            USING ERRCODE = 'LP007',
            DETAIL = format('It is now %s.', now()),
            HINT = 'Leave start_at out to stop the clock now, or give end_at to plan a hold.';
    END IF;

    SELECT p.* INTO before
    FROM lead_protection.require_protected_lead(create_lead_hold.lead_id, create_lead_hold.user_id) AS p;

    IF before.state = 'CLOSED' THEN
        RAISE EXCEPTION 'lead % is closed', create_lead_hold.lead_id
            USING ERRCODE = 'LP009',
            DETAIL = format('It was closed at %s.', before.closed_at),
            HINT = 'A closed lead has no running clock that a hold could stop.';
    END IF;
    IF before.state = 'EXPIRED' THEN
        RAISE EXCEPTION 'the protection of lead % has expired', create_lead_hold.lead_id
            USING ERRCODE = 'LP008',
            DETAIL = format('It expired at %s.', before.protection_expires_at),
            HINT = 'A hold cannot revive a lead that is free.';
    END IF;

    INSERT INTO lead_protection.lead_holds AS h (lead_id, user_id, reason, start_at, end_at, created_by)
    VALUES (
        create_lead_hold.lead_id, create_lead_hold.user_id, create_lead_hold.reason,
        create_lead_hold.start_at, create_lead_hold.end_at, create_lead_hold.actor_id
    )
    ON CONFLICT DO NOTHING
    RETURNING h.* INTO hold;
    created := FOUND;

    IF created THEN
        INSERT INTO lead_protection.protection_log (
            lead_id, user_id, event_type, occurred_at, actor_id, reason,
            state_before, expires_before, state_after, expires_after, details
        )
        SELECT
            hold.lead_id, hold.user_id, 'lead.hold.created', now(), hold.created_by, hold.reason,
            before.state, before.protection_expires_at, v.state, v.protection_expires_at,
            lead_protection.hold_details(hold)
        FROM lead_protection.v_user_lead_protection AS v
        WHERE v.lead_id = hold.lead_id;
    ELSE
        -- The index that refused the row tells which one stands in its place.
        SELECT h.* INTO STRICT hold
        FROM lead_protection.lead_holds AS h
        WHERE
            h.lead_id = create_lead_hold.lead_id AND h.user_id = create_lead_hold.user_id
            AND CASE
                WHEN create_lead_hold.end_at IS NULL THEN h.end_at IS NULL
                ELSE h.start_at = create_lead_hold.start_at AND h.end_at = create_lead_hold.end_at AND h.released_by IS NULL
            END;
    END IF;

    RETURN (
        hold.id, hold.lead_id, hold.user_id, hold.reason, hold.start_at, hold.end_at,
        hold.created_by, hold.created_at, hold.released_by, created, false
    )::lead_protection.lead_hold_result;
END;
$$;

COMMENT ON FUNCTION lead_protection.create_lead_hold(bigint, bigint, text, bigint, timestamptz, timestamptz) IS
'Stops the clock of a lead for its protected user. reason: 1 to 255 characters; actor_id: who does it; start_at: from when (default: now; may lie in the past, and only the time after the protection began counts); end_at: planned end, null (default): open, until release_lead_hold().
Returns the hold, with created = true. Repeated while an open hold stands (or, with an end, while the same planned hold stands): returns that hold as it is, with created = false, and changes nothing.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason blank or too long, LP005 infinity, LP006 end not after start, LP007 open hold in the future, LP008 expired, LP009 closed.
Logs and publishes lead.hold.created in the same transaction.';
