CREATE OR REPLACE FUNCTION lead_protection.override_hold_limit(
    hold_id bigint, version integer, until_at timestamptz, reason text, actor_id bigint
)
RETURNS lead_protection.lead_change_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'hold_id', override_hold_limit.hold_id, 'version', override_hold_limit.version,
            'until_at', override_hold_limit.until_at, 'actor_id', override_hold_limit.actor_id
        )
    );
    PERFORM lead_protection.require_reason(override_hold_limit.reason);

    hold := lead_protection.lock_hold(override_hold_limit.hold_id);
    PERFORM lead_protection.require_hold_span(hold.start_at, override_hold_limit.until_at);
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(hold.lead_id, decided_at, hold.user_id);
    IF hold.limit_override_until = override_hold_limit.until_at THEN
        RETURN lead_protection.lead_change(before, before, false, decided_at);
    END IF;
    PERFORM lead_protection.require_valid_hold(hold, override_hold_limit.version);
    PERFORM lead_protection.require_open_lead(before, may_be_expired => true);

    UPDATE lead_protection.lead_holds AS h
    SET limit_override_until = override_hold_limit.until_at, limit_noticed_at = NULL
    WHERE h.id = hold.id;

    RETURN lead_protection.log_lead_change(
        'lead.hold.limit_overridden', before, lead_protection.read_lead(hold.lead_id, decided_at), decided_at,
        override_hold_limit.actor_id, override_hold_limit.reason,
        lead_protection.hold_details(hold)
        || jsonb_build_object('limit_override_until', lead_protection.instant_text(override_hold_limit.until_at))
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.override_hold_limit(bigint, integer, timestamptz, text, bigint) IS
'Allows a hold to last until until_at, beyond the limit of its policy. For operators. It moves no clock by itself: an '
'open hold is no longer ended at the limit, and correct_lead_hold() may give the hold an end up to until_at. version: '
'the one that this was decided on.
Returns the lead before and after, with changed = true. Repeated with the same until_at: changed = false, and nothing '
'changes.
Errors: LP001 null argument, LP003 the hold is of an earlier user, LP004 reason blank or too long, LP005 outside the '
'years 1900 to 2999, LP006 until_at not after the hold''s start, LP009 the lead is closed, LP033 unknown hold, LP034 '
'void, LP035 the hold was changed meanwhile, LP064 the lead is free.
Logs and publishes lead.hold.limit_overridden in the same transaction.';
