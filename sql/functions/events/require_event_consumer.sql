CREATE OR REPLACE FUNCTION lead_protection.require_event_consumer(consumer_name text)
RETURNS lead_protection.event_consumers
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    consumer lead_protection.event_consumers;
BEGIN
    SELECT c.* INTO consumer
    FROM lead_protection.event_consumers AS c
    WHERE c.consumer_name = require_event_consumer.consumer_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION
            'consumer % is not registered', coalesce(quote_literal(require_event_consumer.consumer_name), 'null')
            USING ERRCODE = 'LP038',
            DETAIL = format('Registered: %s.', coalesce(
                (
                    SELECT string_agg(c.consumer_name, ', ' ORDER BY c.consumer_name)
                    FROM lead_protection.event_consumers AS c
                ),
                'none'
            )),
            HINT = 'Check the spelling, or have an operator register it with register_event_consumer().';
    END IF;
    RETURN consumer;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_event_consumer(text) IS
'Returns the consumer''s row; refuses one that is not registered (LP038). Internal.';
