CREATE OR REPLACE FUNCTION lead_protection.release_lead_hold(lead_id bigint, user_id bigint, actor_id bigint)
RETURNS SETOF lead_protection.lead_hold_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
-- Its statements are short: to plan them anew each time would take as long as to run them. The one plan must not be one
-- for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    released boolean := false;
BEGIN
    PERFORM lead_protection.require_arguments(
        jsonb_build_object(
            'lead_id', release_lead_hold.lead_id, 'user_id', release_lead_hold.user_id,
            'actor_id', release_lead_hold.actor_id
        )
    );

    PERFORM lead_protection.lock_leads(ARRAY[release_lead_hold.lead_id]);
    -- Not now(): the transaction may have begun before what was committed while it waited for the lock.
    decided_at := clock_timestamp();
    before := lead_protection.require_lead(release_lead_hold.lead_id, decided_at, release_lead_hold.user_id);

    -- The clock runs again only when no hold is in force any more: the open one ends, and so do planned ones under way.
    FOR hold IN
        SELECT h.* FROM lead_protection.end_holds(before, decided_at, release_lead_hold.actor_id, 'in force') AS h
    LOOP
        released := true;
        RETURN NEXT (
            hold.id, hold.lead_id, hold.user_id, hold.reason, hold.start_at, hold.end_at,
            hold.created_by, hold.created_at, hold.released_by, false, true,
            hold.reason_code, hold.version
        )::lead_protection.lead_hold_result;
    END LOOP;

    IF NOT released THEN
        RETURN NEXT (
            NULL, release_lead_hold.lead_id, release_lead_hold.user_id, NULL, NULL, NULL,
            NULL, NULL, NULL, false, false, NULL, NULL
        )::lead_protection.lead_hold_result;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.release_lead_hold(bigint, bigint, bigint) IS
'Lets the clock of a lead run again from now on: ends the open hold (at its limit, if it has passed that) and any '
'planned hold under way. actor_id: who does it. Planned holds that have not begun stay.
Returns a row for each hold it ended, with released = true. Repeated, or without a hold in force: one row with '
'released = false and no hold, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead.
Logs and publishes lead.hold.released in the same transaction.';
