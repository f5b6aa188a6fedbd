-- What a hold moves is counted anew from the terms that the cache has: to derive those from all facts costs five times
-- as much. Where there is a reminder, or no clock, all is derived: which reminders count depends on the window.
-- The caller has locked the leads. The update is unconditional, as in refresh_lead_clocks().
-- The linter cannot indent JOIN LATERAL (…).
-- noqa: disable=LT02
CREATE OR REPLACE FUNCTION lead_protection.refresh_held_clocks(lead_ids bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    refreshed bigint;
BEGIN
    UPDATE lead_protection.lead_clocks AS c
    SET (stops, open_hold_from, runs_from, protection_expires_at, window_date, reminder_due_at) = (
        SELECT
            hold.stops, runs.open_hold_from, runs.runs_from, expiry.expires_at, reminder_window.window_date,
            reminder_window.due_at
        FROM lead_protection.hold_stops(c.lead_id, c.user_id, c.started_at, c.closed_at) AS hold
        CROSS JOIN LATERAL (
            SELECT
                lead_protection.rule_expiry(
                    c.base_expires_at, c.idle_from, c.idle_base_expires_at, hold.stops, c.day_policy_id
                ) AS expires_at
            LIMIT 1
        ) AS expiry
        LEFT JOIN lead_protection.protection_policies AS policy ON policy.id = c.policy_id AND c.user_id IS NOT NULL
        CROSS JOIN LATERAL lead_protection.reminder_window(
            expiry.expires_at, policy.time_zone, policy.period_end, policy.grace_days, policy.reminder_time,
            policy.remind_on, policy.calendar_id
        ) AS reminder_window
        CROSS JOIN LATERAL lead_protection.running_clock(
            c.started_at, hold.stops, hold.open_from, expiry.expires_at, c.owed_notice_days
        ) AS runs
    )
    WHERE
        c.lead_id = ANY(refresh_held_clocks.lead_ids)
        -- NOT EXISTS would become a join, which takes longer to set up than to look.
        AND (SELECT true FROM lead_protection.lead_reminders AS r WHERE r.lead_id = c.lead_id LIMIT 1) IS NULL;
    GET DIAGNOSTICS refreshed = ROW_COUNT;
    IF refreshed < cardinality(refresh_held_clocks.lead_ids) THEN
        PERFORM lead_protection.refresh_lead_clocks(
            ARRAY(
                SELECT l.lead_id
                FROM unnest(refresh_held_clocks.lead_ids) AS l (lead_id)
                WHERE
                    EXISTS (SELECT FROM lead_protection.lead_reminders AS r WHERE r.lead_id = l.lead_id)
                    OR NOT EXISTS (SELECT FROM lead_protection.lead_clocks AS c WHERE c.lead_id = l.lead_id)
            )
        );
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.refresh_held_clocks(bigint[]) IS
'The same as refresh_lead_clocks(), for leads of which only holds have changed: cheaper. Internal: the triggers on the '
'holds call it, after lock_leads(). A repeated call changes nothing.';
