-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.change_adoption_triggers(adoption_id bigint, wanted boolean)
LANGUAGE plpgsql
AS $$
-- The table's name was quoted when it was adopted.
-- @plpgsql_check_options: security_warnings = off
DECLARE
    source_name CONSTANT text := (
        SELECT a.source FROM lead_protection.adoptions AS a WHERE a.id = change_adoption_triggers.adoption_id
    );
    adoption lead_protection.adoptions;
    made_at text;
    drop_command text;
    changed boolean := false;
BEGIN
    FOR attempt IN 1..60 LOOP
        -- Whoever waits for a lock on a live table makes all that come after wait, too: so not for long.
        PERFORM pg_catalog.set_config('lock_timeout', '500ms', true);
        BEGIN
            -- Under its lock: nobody adopts or disowns it meanwhile.
            SELECT a.* INTO adoption
            FROM lead_protection.adoptions AS a
            WHERE a.id = change_adoption_triggers.adoption_id
            FOR NO KEY UPDATE;
            IF change_adoption_triggers.wanted THEN
                made_at := extract(EPOCH FROM adoption.adopted_at)::text;
                IF adoption.disowned_at IS NULL AND (
                    SELECT pg_catalog.count(*) < 4
                    FROM lead_protection.adopted_tables() AS t
                    WHERE t.adoption_id = adoption.id AND t.adopted_at = made_at AND t.source = adoption.source
                ) THEN
                    -- Transition tables allow one event a trigger.
                    EXECUTE pg_catalog.format(
                        'CREATE OR REPLACE TRIGGER lead_protection_insert AFTER INSERT ON %1$s
                        REFERENCING NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L);
                        CREATE OR REPLACE TRIGGER lead_protection_update AFTER UPDATE ON %1$s
                        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L);
                        CREATE OR REPLACE TRIGGER lead_protection_delete AFTER DELETE ON %1$s
                        REFERENCING OLD TABLE AS old_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L);
                        CREATE OR REPLACE TRIGGER lead_protection_truncate BEFORE TRUNCATE ON %1$s
                        FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L)',
                        adoption.source, adoption.id, made_at
                    );
                END IF;
            ELSE
                UPDATE lead_protection.adoptions AS a
                SET disowned_at = coalesce(a.disowned_at, pg_catalog.clock_timestamp())
                WHERE a.id = adoption.id;
                DELETE FROM lead_protection.adoption_queue AS q WHERE q.adoption_id = adoption.id;
                FOR drop_command IN
                    SELECT pg_catalog.format('DROP TRIGGER %I ON %s', t.trigger_name, t.source)
                    FROM lead_protection.adopted_tables() AS t
                    WHERE t.adoption_id = adoption.id
                LOOP
                    BEGIN
                        EXECUTE drop_command;
                    EXCEPTION
                        -- TRIGGER is a right to make them; to drop them takes the owner. Once disowned they do nothing.
                        WHEN insufficient_privilege THEN
                            NULL;
                    END;
                END LOOP;
            END IF;
            changed := true;
        EXCEPTION
            WHEN lock_not_available THEN
                RAISE NOTICE '%: others hold locks on it, trying again (% of 60)', source_name, attempt;
        END;
        COMMIT;
        EXIT WHEN changed;
        PERFORM pg_catalog.pg_sleep(least(attempt, 5));
    END LOOP;
    IF NOT changed THEN
        RAISE EXCEPTION 'no lock on % for its triggers', source_name
            USING ERRCODE = 'LP050',
            DETAIL = 'A transaction has been holding it all the time. Nothing was changed on the table.',
            HINT = 'Call it again when that transaction is over: it goes on where it stopped. pg_locks shows who.';
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.change_adoption_triggers(bigint, boolean) IS
'wanted true: makes the triggers on an adopted table, unless they are there or it was disowned meanwhile. false: '
'disowns it, empties its queue and drops the triggers, as far as we may. Waits half a second for the lock (to make '
'them SHARE ROW EXCLUSIVE: no writes for that moment; to drop them ACCESS EXCLUSIVE), then lets everybody pass and '
'tries again, 60 times in some 5 minutes. Commits. Error: LP050. Internal: adopt_leads(), adopt_activities() and '
'disown_source() call it.';
