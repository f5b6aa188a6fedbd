-- One plan for all: planned anew, it costs more than it takes to run for one lead, and for many it is the same plan. It
-- must not be one for the empty tables that a session may have met first.
-- The caller has locked the leads (see lock_leads), so that what is derived here includes every committed fact.
-- The update is unconditional: under REPEATABLE READ two changes to the facts of one lead must collide on this row.
CREATE OR REPLACE FUNCTION lead_protection.refresh_lead_clocks(lead_ids bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    INSERT INTO lead_protection.lead_clocks AS c
    SELECT d.*
    FROM lead_protection.derive_lead_clocks() AS d
    WHERE d.lead_id = ANY(refresh_lead_clocks.lead_ids)
    ON CONFLICT ON CONSTRAINT lead_clocks_pkey DO UPDATE SET (
        user_id, policy_id, started_at, closed_at, base_expires_at, stops, open_hold_from, runs_from,
        protection_expires_at, window_date, reminder_due_at, reminded_at, reminded_window, expired_at,
        idle_from, idle_base_expires_at, noticed_at, notice_base_expires_at, owed_notice_days, owed_notice_zone, lead_key,
        day_policy_id
    ) = (
        excluded.user_id, excluded.policy_id, excluded.started_at, excluded.closed_at, excluded.base_expires_at,
        excluded.stops, excluded.open_hold_from, excluded.runs_from, excluded.protection_expires_at,
        excluded.window_date, excluded.reminder_due_at, excluded.reminded_at, excluded.reminded_window,
        excluded.expired_at, excluded.idle_from, excluded.idle_base_expires_at, excluded.noticed_at,
        excluded.notice_base_expires_at, excluded.owed_notice_days, excluded.owed_notice_zone,
        excluded.lead_key, excluded.day_policy_id
    );
END;
$$;

COMMENT ON FUNCTION lead_protection.refresh_lead_clocks(bigint[]) IS
'Writes the cache rows of the leads anew from the facts. Internal: the triggers on the facts and the nightly job call '
'it, after lock_leads(). A repeated call changes nothing.';
