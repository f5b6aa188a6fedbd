CREATE OR REPLACE FUNCTION lead_protection.void_lead_hold(
    hold_id bigint, version integer, reason text, actor_id bigint, dry_run boolean DEFAULT false
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    answer lead_protection.lead_change_result;
BEGIN
    IF void_lead_hold.dry_run THEN
        -- The same answer as doing it, because it is doing it: in a block that is undone. Variables keep what they got.
        BEGIN
            answer := lead_protection.void_lead_hold(
                void_lead_hold.hold_id, void_lead_hold.version, void_lead_hold.reason, void_lead_hold.actor_id
            );
            RAISE EXCEPTION USING ERRCODE = 'LP999', MESSAGE = 'a dry run is undone';
        EXCEPTION
            WHEN SQLSTATE 'LP999' THEN
                RETURN answer;
        END;
    END IF;

    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'hold_id', void_lead_hold.hold_id, 'version', void_lead_hold.version, 'actor_id', void_lead_hold.actor_id,
            'dry_run', void_lead_hold.dry_run
        )
    );
    PERFORM lead_protection.require_reason(void_lead_hold.reason);

    hold := lead_protection.lock_hold(void_lead_hold.hold_id);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(hold.lead_id, decided_at, hold.user_id);
    IF hold.voided_at IS NOT NULL THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    PERFORM lead_protection.require_valid_hold(hold, void_lead_hold.version);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);

    UPDATE lead_protection.lead_holds AS h
    SET voided_at = decided_at, voided_by = void_lead_hold.actor_id
    WHERE h.id = hold.id;

    RETURN lead_protection.log_lead_change(
        'lead.hold.voided', before, lead_protection.read_lead(hold.lead_id, decided_at), decided_at,
        void_lead_hold.actor_id, void_lead_hold.reason, lead_protection.hold_details(hold)
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.void_lead_hold(bigint, integer, text, bigint, boolean) IS
'Declares a hold void: it counts for nothing, as if it had never been made. Nothing is deleted. Also cancels a planned '
'hold. version: the one that this was decided on. The expiry comes earlier by what the hold had counted, so the '
'protection may have ended. dry_run: true (default: false) answers what the call would answer now and changes nothing.
Returns the lead before and after, with changed = true. Repeated: changed = false, and nothing changes.
Errors: LP001 null argument, LP003 the hold is of an earlier user, LP004 reason blank or too long, LP009 the lead is '
'closed, LP033 unknown hold, LP035 the hold was changed meanwhile, LP064 the lead is free.
Logs and publishes lead.hold.voided in the same transaction. A dry run does it and undoes it: it needs a database that '
'takes writes and waits for, and for a moment holds, the lead''s lock.';
