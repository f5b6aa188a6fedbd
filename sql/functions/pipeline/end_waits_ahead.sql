-- What a clock that ran ahead has put off would wait for its day, and hold up what comes after it. A delivery that
-- nobody has claimed never waits for a later instant. No lease and no pause is longer than a day: one that ends later
-- than that was given ahead.
CREATE OR REPLACE FUNCTION lead_protection.end_waits_ahead(OUT deliveries bigint, OUT repetitions bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- The plan must not be one for the empty tables that the statistics may speak of.
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    present CONSTANT timestamptz := clock_timestamp();
BEGIN
    -- Who has one in hand just now is not waited for.
    UPDATE lead_protection.event_deliveries AS d
    SET available_at = present
    FROM (
        SELECT
            w.event_id,
            w.consumer_name
        FROM lead_protection.event_consumers AS n
        INNER JOIN lead_protection.event_deliveries AS w ON n.consumer_name = w.consumer_name
        WHERE
            w.status = 'pending' AND w.available_at > present
            AND (w.attempts = 0 OR lead_protection.exceeds_clock_skew(w.available_at - INTERVAL '1 day'))
        FOR UPDATE OF w SKIP LOCKED
    ) AS ahead
    WHERE d.event_id = ahead.event_id AND d.consumer_name = ahead.consumer_name;
    GET DIAGNOSTICS deliveries = ROW_COUNT;

    UPDATE lead_protection.reminder_deliveries AS d
    SET retry_at = present
    WHERE d.retry_at > present AND lead_protection.exceeds_clock_skew(d.retry_at - INTERVAL '1 day');
    GET DIAGNOSTICS repetitions = ROW_COUNT;
END;
$$;

COMMENT ON FUNCTION lead_protection.end_waits_ahead() IS
'Lets what a clock that ran ahead has put off wait no more: deliveries of events that nobody has claimed and that bear '
'an instant which has not come, leases and pauses that end more than a day (and the 5 minutes of skew) from now, and '
'repetitions of reminders that are planned for later than that. Returns how many of each; repeated: 0. Internal: the '
'pipeline and recover_from_clock_ahead() call it.';
