-- The rule stays as it is: to make a closing undone is to open the lead and to enter the time of it as a hold.
CREATE OR REPLACE FUNCTION lead_protection.void_lead_closing(
    lead_id bigint, user_id bigint, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    opened lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    closing lead_protection.lead_history;
    hold lead_protection.lead_holds;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', void_lead_closing.lead_id, 'user_id', void_lead_closing.user_id,
            'actor_id', void_lead_closing.actor_id
        )
    );
    PERFORM lead_protection.require_reason(void_lead_closing.reason);

    PERFORM lead_protection.lock_leads(ARRAY[void_lead_closing.lead_id]);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(void_lead_closing.lead_id, decided_at, void_lead_closing.user_id);
    IF before.state = 'CLOSED' THEN
        PERFORM lead_protection.reopen_lead(
            void_lead_closing.lead_id, void_lead_closing.user_id, void_lead_closing.reason, void_lead_closing.actor_id
        );
        decided_at := clock_timestamp();
    END IF;
    opened := lead_protection.read_lead(before.lead_id, decided_at);

    -- The last closing of this protection; it may have been reopened long ago.
    SELECT h.* INTO closing
    FROM lead_protection.lead_history AS h
    WHERE
        h.lead_id = opened.lead_id AND h.user_id = opened.user_id AND h.created_at = opened.created_at
        AND h.closed_at IS NOT NULL
    ORDER BY h.valid_until DESC
    LIMIT 1;
    IF closing.lead_id IS NULL THEN
        RAISE EXCEPTION 'the protection of lead % was never closed', before.lead_id
            USING ERRCODE = 'LP076',
            DETAIL = format(
                'It is user %s''s since %s, and open.', before.user_id,
                lead_protection.instant_text(before.created_at)
            ),
            HINT = 'lead_history shows what a lead was. For time in which the clock should have stood still: '
                'create_lead_hold() with start_at and end_at.';
    END IF;
    IF EXISTS (
        SELECT
        FROM lead_protection.lead_holds AS h
        WHERE
            h.lead_id = opened.lead_id AND h.user_id = opened.user_id AND h.reason_code = 'CLOSED_BY_MISTAKE'
            AND h.start_at = closing.closed_at AND h.end_at = closing.valid_until AND h.voided_at IS NULL
    ) THEN
        RETURN lead_protection.lead_change(before, opened, false, decided_at);
    END IF;

    INSERT INTO lead_protection.lead_holds AS h (
        lead_id, user_id, reason, reason_code, start_at, end_at, created_by, released_by
    )
    VALUES (
        opened.lead_id, opened.user_id, void_lead_closing.reason, 'CLOSED_BY_MISTAKE', closing.closed_at,
        closing.valid_until, void_lead_closing.actor_id, void_lead_closing.actor_id
    )
    RETURNING h.* INTO hold;
    after := lead_protection.read_lead(opened.lead_id, decided_at);
    PERFORM lead_protection.log_lead_change(
        'lead.hold.created', opened, after, decided_at, void_lead_closing.actor_id, void_lead_closing.reason,
        lead_protection.hold_details(hold)
    );
    RETURN lead_protection.lead_change(before, after, true, decided_at);
END;
$$;

COMMENT ON FUNCTION lead_protection.void_lead_closing(bigint, bigint, text, bigint) IS
'Makes a closing by mistake undone, for operators: reopens the lead if it is closed, as reopen_lead() does, and enters '
'the time for which it was closed as a hold, of reason code CLOSED_BY_MISTAKE. So the expiry moves by that time, and a '
'lead that was reopened too late is protected again; one that had expired before it was closed stays expired. It is '
'the last closing of the present protection; that hold counts towards no limit, and void_lead_hold() takes it back.
Returns the lead before and after, with changed = true. Repeated: changed = false, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP004 reason blank or too long, LP028 '
'deleted, LP064 the lead is free, LP076 this protection was never closed.
Logs and publishes lead.reopened, if it was closed, and lead.hold.created in the same transaction.';
