CREATE OR REPLACE FUNCTION lead_protection.unregister_event_consumer(consumer_name text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given_up bigint;
BEGIN
    PERFORM lead_protection.require_event_consumer(unregister_event_consumer.consumer_name);
    PERFORM lead_protection.lock_event_writers();
    DELETE FROM lead_protection.event_consumers AS c
    WHERE c.consumer_name = unregister_event_consumer.consumer_name;
    WITH gone AS (
        DELETE FROM lead_protection.event_deliveries AS d
        WHERE d.consumer_name = unregister_event_consumer.consumer_name
        RETURNING d.status
    )
    SELECT count(*) INTO given_up FROM gone AS g WHERE g.status IN ('pending', 'dead');
    RETURN given_up;
END;
$$;

COMMENT ON FUNCTION lead_protection.unregister_event_consumer(text) IS
'Removes a consumer and all that is known of its deliveries, for operators. Returns how many events it had not '
'finished, dead letters included: they are given up for it. The events themselves stay.
Errors: LP038 not registered (so also when repeated), LP040 a writer of events took longer than 5 seconds: try again.';
