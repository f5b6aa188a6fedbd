-- Once a statement: a batch of 1,000 reminders is a handful of rows.
CREATE OR REPLACE FUNCTION lead_protection.count_reminders()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Its callers forbid sequential scans, which makes those of new_rows look so dear that JIT would compile them.
SET jit = off
AS $$
DECLARE
    latencies interval [];
BEGIN
    SELECT array_agg(n.sent_at - coalesce(n.fell_due_at, n.due_at)) INTO latencies
    FROM new_rows AS n
    -- Those of another system are not our doing.
    WHERE NOT n.adopted;
    IF latencies IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lead_protection.count_metric('lead_reminder_sent_total', '{}', cardinality(latencies));
    PERFORM lead_protection.observe_seconds('lead_reminder_latency_seconds', latencies);
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection.count_reminders() IS
'Trigger: counts the reminders sent, and how long after they fell due, for v_metrics.';

CREATE OR REPLACE TRIGGER count_reminders
AFTER INSERT ON lead_protection.lead_reminders REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.count_reminders();
