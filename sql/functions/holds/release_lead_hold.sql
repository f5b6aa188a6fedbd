CREATE OR REPLACE FUNCTION lead_protection.release_lead_hold(lead_id bigint, user_id bigint, actor_id bigint)
RETURNS SETOF lead_protection.lead_hold_result
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
-- Its statements are short: to plan them anew each time would take as long as to run them. The one plan must not be one
-- for the empty tables that a session may have met first.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    decided_at timestamptz;
    before lead_protection.v_user_lead_protection;
    after lead_protection.v_user_lead_protection;
    ended lead_protection.lead_holds [];
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
    ended := ARRAY(
        SELECT h
        FROM lead_protection.end_holds(before, decided_at, release_lead_hold.actor_id, with_planned => false) AS h
    );
    after := lead_protection.read_lead(before.lead_id, decided_at);
    RETURN QUERY
    SELECT
        h.id, before.lead_id, before.user_id, h.reason::text, h.start_at, h.end_at,
        h.created_by, h.created_at, h.released_by, false, h.id IS NOT NULL,
        h.reason_code, h.version, decided_at,
        before.state, before.on_hold, before.protection_expires_at, before.reminder_due_at,
        after.state, after.on_hold, after.protection_expires_at, after.reminder_due_at
    -- Without a hold in force, one row that says so.
    FROM (VALUES (1)) AS one (row_at_least)
    LEFT JOIN unnest(ended) AS h ON true;
END;
$$;

COMMENT ON FUNCTION lead_protection.release_lead_hold(bigint, bigint, bigint) IS
'Lets the clock of a lead run again from now on: ends the open hold (at its limit, if it has passed that) and any '
'planned hold under way. actor_id: who does it. Planned holds that have not begun stay.
Returns a row for each hold it ended, with released = true, and the lead before and after the call. Repeated, or '
'without a hold in force: one row with released = false and no hold, and nothing changes.
Errors: LP001 null argument, LP002 unknown lead, LP003 another user''s lead, LP064 free.
Logs and publishes lead.hold.released in the same transaction.';
