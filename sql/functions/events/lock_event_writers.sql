-- An event that is being written now must either be seen by who comes after this, or see what is changed after this.
-- It waits for writers, and other writers wait behind it: so not for long.
CREATE OR REPLACE FUNCTION lead_protection.lock_event_writers()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
    LOCK TABLE lead_protection.outbox_events IN SHARE ROW EXCLUSIVE MODE;
    UPDATE lead_protection.settings AS s SET consumers_changed_at = clock_timestamp();
EXCEPTION
    WHEN lock_not_available THEN
        RAISE EXCEPTION 'events are being written by a transaction that takes long'
            USING ERRCODE = 'LP040',
            DETAIL = 'Waited for 5 seconds, and gave up so as not to hold up others.',
            HINT = 'Try again when it is done: pg_locks shows who holds a lock of lead_protection.outbox_events.';
END;
$$;

COMMENT ON FUNCTION lead_protection.lock_event_writers() IS
'Waits until no transaction that has written an event is open, and holds up writers until the end of this one. LP040 '
'after 5 seconds. Internal: registering and removing consumers needs it.';
