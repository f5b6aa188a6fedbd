CREATE OR REPLACE FUNCTION lead_protection.correct_lead_hold(
    hold_id bigint,
    version integer,
    start_at timestamptz,
    end_at timestamptz,
    reason text,
    actor_id bigint,
    dry_run boolean DEFAULT false,
    hold_reason text DEFAULT NULL
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    reason_code text;
    corrected lead_protection.lead_holds;
    answer lead_protection.lead_change_result;
BEGIN
    IF correct_lead_hold.dry_run THEN
        -- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
        BEGIN
            answer := lead_protection.correct_lead_hold(
                correct_lead_hold.hold_id, correct_lead_hold.version, correct_lead_hold.start_at,
                correct_lead_hold.end_at, correct_lead_hold.reason, correct_lead_hold.actor_id,
                hold_reason => correct_lead_hold.hold_reason
            );
            RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a dry run is undone';
        EXCEPTION
            WHEN SQLSTATE 'LP999' THEN
                RETURN answer;
        END;
    END IF;

    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'hold_id', correct_lead_hold.hold_id, 'version', correct_lead_hold.version,
            'start_at', correct_lead_hold.start_at, 'actor_id', correct_lead_hold.actor_id,
            'dry_run', correct_lead_hold.dry_run
        )
    );
    PERFORM lead_protection.require_reason(correct_lead_hold.reason);
    PERFORM lead_protection.require_hold_span(correct_lead_hold.start_at, correct_lead_hold.end_at);
    IF correct_lead_hold.hold_reason IS NOT NULL THEN
        reason_code := lead_protection.hold_reason_code(correct_lead_hold.hold_reason);
    END IF;

    hold := lead_protection.lock_hold(correct_lead_hold.hold_id);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(hold.lead_id, decided_at, hold.user_id);
    corrected := hold;
    corrected.start_at := correct_lead_hold.start_at;
    corrected.end_at := correct_lead_hold.end_at;
    IF reason_code IS NOT NULL THEN
        corrected.reason := CASE reason_code WHEN 'OTHER' THEN correct_lead_hold.hold_reason ELSE reason_code END;
        corrected.reason_code := reason_code;
    END IF;
    IF hold.voided_at IS NULL AND corrected IS NOT DISTINCT FROM hold THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    PERFORM lead_protection.require_valid_hold(hold, correct_lead_hold.version);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);

    PERFORM lead_protection.require_hold_within_limit(corrected, decided_at);
    BEGIN
        UPDATE lead_protection.lead_holds AS h
        SET
            start_at = corrected.start_at,
            end_at = corrected.end_at,
            reason = corrected.reason,
            reason_code = corrected.reason_code,
            -- One that is open or lasts on is not released, and can be; nor was it ended by the job.
            released_by = CASE WHEN corrected.end_at <= decided_at THEN h.released_by END,
            overrun_at = NULL,
            limit_noticed_at = NULL
        WHERE h.id = hold.id
        RETURNING h.* INTO corrected;
    EXCEPTION
        WHEN unique_violation THEN
            RAISE EXCEPTION 'lead % has such a hold already', hold.lead_id
                USING ERRCODE = 'LP036',
                DETAIL = 'There is one open hold, and one of the same start and end, for each lead and user.',
                HINT = 'Correct or void the other one first: v_active_holds shows it.';
    END;

    RETURN lead_protection.log_lead_change(
        'lead.hold.corrected', before, lead_protection.read_lead(hold.lead_id, decided_at), decided_at,
        correct_lead_hold.actor_id, correct_lead_hold.reason,
        lead_protection.hold_details(corrected) || jsonb_build_object(
            'hold_start_at_before', lead_protection.instant_text(hold.start_at),
            'hold_end_at_before', lead_protection.instant_text(hold.end_at),
            -- Of free text only that it is such: what it said stays in the log row of its making.
            'reason_code_before', nullif(hold.reason_code, corrected.reason_code),
            'reason_code', nullif(corrected.reason_code, hold.reason_code)
        )
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.correct_lead_hold(
    bigint, integer, timestamptz, timestamptz, text, bigint, boolean, text
) IS
'Gives a hold another start and end: backdates, shortens or lengthens it, or (end_at null) opens it again; and '
'another reason: hold_reason, a code of hold_reasons or free text as for create_lead_hold() (null, the default: as it '
'is). reason: why it is corrected. version: the one that the correction was decided on. The old values stay in the '
'log. The clock, the state and the reminders follow at once; a correction may so bring back a protection that has '
'expired. dry_run: true (default: false) answers what the call would answer now and changes nothing.
Returns the lead before and after, with changed = true. Repeated, when the hold has that start, end and reason: '
'changed = false, and nothing changes.
Errors: LP001 null argument, LP003 the hold is of an earlier user, LP004 reason blank or too long, LP005 outside the '
'years 1900 to 2999, LP006 end not after start, LP007 open hold in the future, LP009 the lead is closed, LP032 over '
'the policy''s limit, LP033 unknown hold, LP034 void, LP035 the hold was changed meanwhile, LP036 there is such a '
'hold already, LP064 the lead is free; LP004, LP030 and LP031 for hold_reason as for create_lead_hold().
Logs and publishes lead.hold.corrected in the same transaction. A dry run does it and undoes it: it needs a database '
'that takes writes and waits for, and for a moment holds, the lead''s lock.';
