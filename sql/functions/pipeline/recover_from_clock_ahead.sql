-- The one call of the runbook, once the clock is right. What the jobs would take back by themselves is taken back here,
-- too, so that whoever has called it knows that all is done.
CREATE OR REPLACE FUNCTION lead_protection.recover_from_clock_ahead()
RETURNS TABLE (what text, amount bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    present timestamptz;
    handled bigint;
    waits record;
BEGIN
    recover_from_clock_ahead.what := 'leads whose expiries and reminders lay ahead';
    recover_from_clock_ahead.amount := 0;
    LOOP
        handled := lead_protection.take_back_ahead(1000);
        EXIT WHEN handled = 0;
        recover_from_clock_ahead.amount := recover_from_clock_ahead.amount + handled;
    END LOOP;
    RETURN NEXT;

    waits := lead_protection.end_waits_ahead();
    recover_from_clock_ahead.what := 'deliveries that waited for a day ahead';
    recover_from_clock_ahead.amount := waits.deliveries;
    RETURN NEXT;
    recover_from_clock_ahead.what := 'repetitions of reminders that were planned for a day ahead';
    recover_from_clock_ahead.amount := waits.repetitions;
    RETURN NEXT;

    present := clock_timestamp();
    recover_from_clock_ahead.what := 'adopted rows that waited for a day ahead';
    UPDATE lead_protection.adoption_notes AS n
    SET noted_at = present
    WHERE n.noted_at > present;
    GET DIAGNOSTICS handled = ROW_COUNT;
    UPDATE lead_protection.adoption_queue AS q
    SET queued_at = least(q.queued_at, present), tried_at = least(q.tried_at, present)
    WHERE q.queued_at > present OR q.tried_at > present;
    GET DIAGNOSTICS recover_from_clock_ahead.amount = ROW_COUNT;
    recover_from_clock_ahead.amount := recover_from_clock_ahead.amount + handled;
    RETURN NEXT;

    -- They would hide for as long that no later one succeeds.
    recover_from_clock_ahead.what := 'runs that lay ahead';
    UPDATE lead_protection.job_runs AS r
    SET
        started_at = least(r.started_at, present), stepped_at = least(r.stepped_at, present),
        -- One that says running has no end: least() would give it one.
        finished_at = CASE WHEN r.finished_at IS NOT NULL THEN least(r.finished_at, present) END
    WHERE r.started_at > present OR r.finished_at > present;
    GET DIAGNOSTICS recover_from_clock_ahead.amount = ROW_COUNT;
    DELETE FROM lead_protection.passed_over_leads AS o
    WHERE o.since > present OR o.last_at > present;
    RETURN NEXT;

    -- They keep their time, which is told and proved; health is told that somebody knows of them.
    recover_from_clock_ahead.what := 'events that bear a time ahead';
    recover_from_clock_ahead.amount := (
        SELECT count(*) FROM lead_protection.outbox_events AS e WHERE e."timestamp" > present
    );
    IF recover_from_clock_ahead.amount > 0 THEN
        UPDATE lead_protection.settings AS s
        SET events_ahead_until = (SELECT max(e."timestamp") FROM lead_protection.outbox_events AS e);
    END IF;
    RETURN NEXT;
END;
$$;

COMMENT ON FUNCTION lead_protection.recover_from_clock_ahead() IS
'Ends what a clock that ran ahead has left, for operators, once this server''s clock is right: by one that is behind '
'it would take back what is right. Takes back the expiries and reminders that the true time does not justify, and '
'tells of each (lead.protection.reactivated; see take_back_ahead()); gives what waits for an instant ahead the '
'present one: deliveries of events, repetitions of reminders, rows of adopted tables, runs of jobs. Events keep '
'their timestamp (timestamptz, published in UTC), which cannot be changed; health names them no more. Facts that '
'users entered meanwhile stay as they are.
Returns a row for each kind, always all of them: what, in words, and amount, how many rows or leads it was; of '
'events how many bear a time ahead. Waits for no lead: one that another session holds locked is left to the next run '
'of the pipeline, which takes back the same. One transaction. Repeated: 0, but for the events. Errors: none of its '
'own.';
