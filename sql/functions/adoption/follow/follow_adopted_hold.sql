CREATE OR REPLACE FUNCTION lead_protection.follow_adopted_hold(
    adoption lead_protection.adoptions,
    lead_id bigint,
    row_key text,
    row_now lead_protection.adopted_row,
    seen lead_protection.adopted_holds,
    hold lead_protection.lead_holds,
    user_id bigint,
    noted_at timestamptz,
    is_history boolean
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at CONSTANT timestamptz := clock_timestamp();
    before CONSTANT lead_protection.v_user_lead_protection := lead_protection.read_lead(
        follow_adopted_hold.lead_id, decided_at
    );
    wanted lead_protection.adopted_row := follow_adopted_hold.row_now;
    written lead_protection.lead_holds := follow_adopted_hold.hold;
    event_type text;
    told text;
BEGIN
    told := coalesce(
        left(nullif(btrim(wanted.label), ''), 255), format('as in %s', follow_adopted_hold.adoption.source)
    );
    IF wanted.started_at IS NOT NULL THEN
        PERFORM lead_protection.require_hold_span(wanted.started_at, wanted.ended_at);
    END IF;
    IF
        wanted.started_at IS NOT NULL AND (
            follow_adopted_hold.hold.id IS NULL OR follow_adopted_hold.hold.voided_at IS NOT NULL
            -- The row has held before, and that is over: this is another one.
            OR follow_adopted_hold.seen.started_at IS NULL
            OR wanted.started_at >= follow_adopted_hold.seen.ended_at
        )
    THEN
        IF follow_adopted_hold.user_id IS NULL THEN
            RAISE EXCEPTION 'lead % is nobody''s', follow_adopted_hold.lead_id
                USING ERRCODE = 'LP064',
                DETAIL = format(
                    'Row %s of %s holds it, and does not say for whom.', follow_adopted_hold.row_key,
                    follow_adopted_hold.adoption.source
                ),
                HINT = 'It is followed once somebody has the lead; or give user_column.';
        END IF;
        INSERT INTO lead_protection.lead_holds AS h (
            lead_id, user_id, reason, reason_code, start_at, end_at, created_by, released_by, imported_as
        )
        VALUES (
            follow_adopted_hold.lead_id, follow_adopted_hold.user_id, told,
            coalesce((lead_protection.catalogued_reason(told)).code, 'OTHER'),
            wanted.started_at, wanted.ended_at, follow_adopted_hold.adoption.actor_id,
            CASE WHEN wanted.ended_at <= decided_at THEN follow_adopted_hold.adoption.actor_id END,
            concat_ws(
                '|', lead_protection.adopted_activity_key(
                    follow_adopted_hold.adoption.id, follow_adopted_hold.row_key
                ), lead_protection.instant_text(wanted.started_at)
            )
        )
        ON CONFLICT DO NOTHING
        RETURNING h.* INTO written;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'lead % has such a hold already', follow_adopted_hold.lead_id
                USING ERRCODE = 'LP036',
                DETAIL = 'There is one open hold, and one of the same start and end, for each lead and user.',
                HINT = 'This one is followed once the other has ended.';
        END IF;
        event_type := 'lead.hold.created';
    ELSIF follow_adopted_hold.hold.id IS NULL THEN
        RETURN;
    ELSE
        UPDATE lead_protection.lead_holds AS h
        SET
            start_at = coalesce(wanted.started_at, h.start_at),
            -- The row is there and says no more that it holds: it held until then.
            end_at = CASE
                WHEN wanted.row_key IS NULL THEN h.end_at
                WHEN wanted.started_at IS NULL THEN coalesce(h.end_at, greatest(h.start_at, follow_adopted_hold.noted_at))
                ELSE wanted.ended_at
            END,
            released_by = CASE
                WHEN wanted.row_key IS NULL THEN h.released_by
                WHEN wanted.started_at IS NULL OR wanted.ended_at <= decided_at
                    THEN coalesce(h.released_by, follow_adopted_hold.adoption.actor_id)
            END,
            reason = CASE WHEN wanted.started_at IS NULL THEN h.reason ELSE told END,
            voided_at = CASE WHEN wanted.row_key IS NULL THEN coalesce(h.voided_at, decided_at) ELSE h.voided_at END,
            voided_by = CASE WHEN wanted.row_key IS NULL
                THEN coalesce(h.voided_by, follow_adopted_hold.adoption.actor_id)
                ELSE h.voided_by
            END
        WHERE h.id = follow_adopted_hold.hold.id
        RETURNING h.* INTO written;
        event_type := CASE
            WHEN written.voided_at IS DISTINCT FROM follow_adopted_hold.hold.voided_at THEN 'lead.hold.voided'
            WHEN written.start_at = follow_adopted_hold.hold.start_at AND follow_adopted_hold.hold.end_at IS NULL
                AND written.end_at IS NOT NULL THEN 'lead.hold.released'
            WHEN (written.start_at, written.end_at)
                IS DISTINCT FROM (follow_adopted_hold.hold.start_at, follow_adopted_hold.hold.end_at)
                THEN 'lead.hold.corrected'
        END;
    END IF;

    IF event_type IS NOT NULL AND NOT (follow_adopted_hold.is_history AND event_type = 'lead.hold.created') THEN
        PERFORM lead_protection.log_lead_change(
            event_type, before, lead_protection.read_lead(follow_adopted_hold.lead_id, decided_at), decided_at,
            follow_adopted_hold.adoption.actor_id, told,
            lead_protection.hold_details(written)
            || CASE WHEN event_type = 'lead.hold.corrected'
                THEN jsonb_build_object(
                    'hold_start_at_before', lead_protection.instant_text(follow_adopted_hold.hold.start_at),
                    'hold_end_at_before', lead_protection.instant_text(follow_adopted_hold.hold.end_at)
                )
                ELSE '{}'
            END
        );
    END IF;
    INSERT INTO lead_protection.adopted_holds AS a (
        lead_id, adoption_id, row_key, hold_id, user_key, started_at, ended_at, reason
    )
    VALUES (
        follow_adopted_hold.lead_id, follow_adopted_hold.adoption.id, follow_adopted_hold.row_key, written.id,
        wanted.user_key, wanted.started_at, wanted.ended_at, wanted.label
    )
    ON CONFLICT ON CONSTRAINT adopted_holds_pkey DO UPDATE SET
        hold_id = excluded.hold_id, user_key = excluded.user_key, started_at = excluded.started_at,
        ended_at = excluded.ended_at, reason = excluded.reason;
END;
$$;

COMMENT ON FUNCTION lead_protection.follow_adopted_hold(
    lead_protection.adoptions, bigint, text, lead_protection.adopted_row, lead_protection.adopted_holds,
    lead_protection.lead_holds, bigint, timestamptz, boolean
) IS
'Does to a hold what its adopted row says now (row_now; null: it is gone) and did not say before (seen). user_id: for '
'whom; noted_at: when the row was written; is_history: it was there before, and is no news. Logged and published as by '
'the functions for holds. Errors: LP005, LP006, LP007, LP036, LP064. Internal.';
