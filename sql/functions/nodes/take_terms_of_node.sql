CREATE OR REPLACE FUNCTION lead_protection.take_terms_of_node(terms jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_calendars bigint [];
    new_policies bigint [];
    consumer lead_protection.event_consumers;
BEGIN
    -- One at a time, and nobody makes terms meanwhile.
    LOCK TABLE lead_protection.protection_policies, lead_protection.calendars IN SHARE ROW EXCLUSIVE MODE;

    WITH taken AS (
        INSERT INTO lead_protection.calendars OVERRIDING SYSTEM VALUE
        SELECT c.* FROM jsonb_populate_recordset(NULL::lead_protection.calendars, terms -> 'calendars') AS c
        ON CONFLICT DO NOTHING
        RETURNING id
    )

    SELECT array_agg(id) INTO new_calendars FROM taken;
    IF new_calendars IS NOT NULL THEN
        -- The days come with the calendar, which was made elsewhere and earlier.
        ALTER TABLE lead_protection.calendar_days DISABLE TRIGGER refuse_late_days;
        INSERT INTO lead_protection.calendar_days
        SELECT d.*
        FROM jsonb_populate_recordset(NULL::lead_protection.calendar_days, terms -> 'calendar_days') AS d
        WHERE d.calendar_id = ANY (new_calendars);
        ALTER TABLE lead_protection.calendar_days ENABLE TRIGGER refuse_late_days;
    END IF;

    UPDATE lead_protection.protection_policies AS p
    SET is_default = false
    FROM jsonb_populate_recordset(NULL::lead_protection.protection_policies, terms -> 'protection_policies') AS t
    WHERE p.id = t.id AND p.is_default AND NOT t.is_default;
    WITH taken AS (
        INSERT INTO lead_protection.protection_policies OVERRIDING SYSTEM VALUE
        SELECT t.*
        FROM jsonb_populate_recordset(NULL::lead_protection.protection_policies, terms -> 'protection_policies') AS t
        ON CONFLICT DO NOTHING
        RETURNING id
    )

    SELECT array_agg(id) INTO new_policies FROM taken;
    UPDATE lead_protection.protection_policies AS p
    SET is_default = true
    FROM jsonb_populate_recordset(NULL::lead_protection.protection_policies, terms -> 'protection_policies') AS t
    WHERE p.id = t.id AND t.is_default AND NOT p.is_default;
    IF new_policies IS NOT NULL THEN
        ALTER TABLE lead_protection.policy_warnings DISABLE TRIGGER refuse_late_warnings;
        INSERT INTO lead_protection.policy_warnings
        SELECT w.*
        FROM jsonb_populate_recordset(NULL::lead_protection.policy_warnings, terms -> 'policy_warnings') AS w
        WHERE w.policy_id = ANY (new_policies);
        ALTER TABLE lead_protection.policy_warnings ENABLE TRIGGER refuse_late_warnings;
    END IF;
    INSERT INTO lead_protection.policy_assignments OVERRIDING SYSTEM VALUE
    SELECT a.*
    FROM jsonb_populate_recordset(NULL::lead_protection.policy_assignments, terms -> 'policy_assignments') AS a
    ON CONFLICT DO NOTHING;

    INSERT INTO lead_protection.hold_reasons AS h
    SELECT r.* FROM jsonb_populate_recordset(NULL::lead_protection.hold_reasons, terms -> 'hold_reasons') AS r
    ON CONFLICT (code) DO UPDATE
    SET stops_clock = excluded.stops_clock, description = excluded.description
    WHERE (h.stops_clock, h.description) IS DISTINCT FROM (excluded.stops_clock, excluded.description);
    DELETE FROM lead_protection.hold_reasons AS h
    WHERE NOT terms -> 'hold_reasons' @> jsonb_build_array(jsonb_build_object('code', h.code));
    INSERT INTO lead_protection.activity_kinds AS k
    SELECT r.* FROM jsonb_populate_recordset(NULL::lead_protection.activity_kinds, terms -> 'activity_kinds') AS r
    ON CONFLICT (kind) DO UPDATE
    SET description = excluded.description
    WHERE k.description IS DISTINCT FROM excluded.description;
    UPDATE lead_protection.settings AS s
    SET
        reminders_per_run = t.reminders_per_run, reminders_per_user = t.reminders_per_user,
        delivery_attempts = t.delivery_attempts, delivery_retry_delay = t.delivery_retry_delay
    FROM jsonb_populate_record(NULL::lead_protection.settings, terms -> 'settings') AS t;
    FOR consumer IN
        SELECT e.*
        FROM jsonb_populate_recordset(NULL::lead_protection.event_consumers, terms -> 'event_consumers') AS e
        WHERE NOT EXISTS (
            SELECT FROM lead_protection.event_consumers AS c WHERE c.consumer_name = e.consumer_name
        )
    LOOP
        PERFORM lead_protection.register_event_consumer(
            consumer.consumer_name, consumer.types, NULL, consumer.attempt_limit, consumer.retry_delay,
            consumer.wake_up
        );
    END LOOP;

    -- So that the next one has the same id wherever it is made.
    PERFORM
        setval('lead_protection.calendars_id_seq', (SELECT max(c.id) FROM lead_protection.calendars AS c)),
        setval('lead_protection.protection_policies_id_seq', (
            SELECT max(p.id) FROM lead_protection.protection_policies AS p
        )),
        setval('lead_protection.policy_assignments_id_seq', (
            SELECT max(a.id) FROM lead_protection.policy_assignments AS a
        ));
END;
$$;

COMMENT ON FUNCTION lead_protection.take_terms_of_node(jsonb) IS
'Brings this node in step with the one that terms_of_node() was called on: what is missing is made with the same ids, '
'the default policy, reasons and settings become those of the other, consumers that are missing are registered. '
'What was made here and not there stays, and is seen by comparing. Called by a router. Repeated: nothing changes. '
'Internal.';
