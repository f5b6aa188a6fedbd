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
    after lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    released boolean := false;
BEGIN
    IF num_nulls(release_lead_hold.lead_id, release_lead_hold.user_id, release_lead_hold.actor_id) > 0 THEN
        RAISE EXCEPTION 'a release needs lead_id, user_id and actor_id'
            USING ERRCODE = 'LP001',
            DETAIL = format(
                'Given: lead_id %s, user_id %s, actor_id %s.',
                coalesce(release_lead_hold.lead_id::text, 'null'), coalesce(release_lead_hold.user_id::text, 'null'),
                coalesce(release_lead_hold.actor_id::text, 'null')
            ),
            HINT = 'Say which hold to release and who releases it.';
    END IF;

    PERFORM lead_protection.lock_leads(ARRAY[release_lead_hold.lead_id]);
    -- Not now(): the transaction may have begun before what was committed while it waited for the lock.
    decided_at := clock_timestamp();
    before := lead_protection.require_protected_lead(release_lead_hold.lead_id, release_lead_hold.user_id, decided_at);

    -- The clock runs again only when no hold is in force any more: the open one ends, and so do planned ones under way.
    FOR hold IN
        UPDATE lead_protection.lead_holds AS h
        -- Closing the lead ended its clock: a hold that is tidied up later must not move it.
        SET end_at = greatest(least(decided_at, before.closed_at), h.start_at), released_by = release_lead_hold.actor_id
        WHERE
            h.lead_id = release_lead_hold.lead_id AND h.user_id = release_lead_hold.user_id
            AND h.released_by IS NULL
            AND (h.end_at IS NULL OR (h.start_at <= decided_at AND h.end_at > decided_at))
        RETURNING h.*
    LOOP
        released := true;
        after := lead_protection.show_lead(hold.lead_id, decided_at);
        INSERT INTO lead_protection.protection_log (
            lead_id, user_id, event_type, occurred_at, actor_id, reason,
            state_before, expires_before, state_after, expires_after, details
        )
        VALUES (
            hold.lead_id, hold.user_id, 'lead.hold.released', decided_at, hold.released_by, hold.reason,
            before.state, before.protection_expires_at, after.state, after.protection_expires_at,
            lead_protection.hold_details(hold)
        );
        RETURN NEXT (
            hold.id, hold.lead_id, hold.user_id, hold.reason, hold.start_at, hold.end_at,
            hold.created_by, hold.created_at, hold.released_by, false, true
        )::lead_protection.lead_hold_result;
    END LOOP;

    IF NOT released THEN
        RETURN NEXT (
            NULL, release_lead_hold.lead_id, release_lead_hold.user_id, NULL, NULL, NULL,
            NULL, NULL, NULL, false, false
        )::lead_protection.lead_hold_result;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.release_lead_hold(bigint, bigint, bigint) IS
'Lets the clock of a lead run again from now on: ends the open hold and any planned hold under way. actor_id: who does it. Planned holds that have not begun stay.
Returns a row for each hold it ended, with released = true. Repeated, or without a hold in force: one row with released = false and no hold, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead.
Logs and publishes lead.hold.released in the same transaction.';
