-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.attach_adoption(adoption_id bigint)
LANGUAGE plpgsql
AS $$
-- The table's name was quoted when it was adopted.
-- @plpgsql_check_options: security_warnings = off
DECLARE
    adoption lead_protection.adoptions;
    made_at text;
    attached boolean := false;
BEGIN
    FOR attempt IN 1..60 LOOP
        -- Whoever waits for a lock on a live table makes all that come after wait, too: so not for long.
        PERFORM pg_catalog.set_config('lock_timeout', '500ms', true);
        BEGIN
            -- Under its lock: nobody disowns it meanwhile.
            SELECT a.* INTO adoption
            FROM lead_protection.adoptions AS a
            WHERE a.id = attach_adoption.adoption_id
            FOR NO KEY UPDATE;
            made_at := extract(EPOCH FROM adoption.adopted_at)::text;
            IF adoption.disowned_at IS NULL AND (
                SELECT pg_catalog.count(*) < 4
                FROM lead_protection.adopted_tables() AS t
                WHERE t.adoption_id = adoption.id AND t.adopted_at = made_at AND t.source = adoption.source
            ) THEN
                -- Transition tables allow one event a trigger.
                EXECUTE pg_catalog.format(
                    'CREATE OR REPLACE TRIGGER lead_protection_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows
                    FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L);
                    CREATE OR REPLACE TRIGGER lead_protection_update AFTER UPDATE ON %1$s
                    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                    FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L);
                    CREATE OR REPLACE TRIGGER lead_protection_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows
                    FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L);
                    CREATE OR REPLACE TRIGGER lead_protection_truncate BEFORE TRUNCATE ON %1$s
                    FOR EACH STATEMENT EXECUTE FUNCTION lead_protection.follow_adopted_source(%2$L, %3$L)',
                    adoption.source, adoption.id, made_at
                );
            END IF;
            attached := true;
        EXCEPTION
            WHEN lock_not_available THEN
                RAISE NOTICE '%: others hold locks on it, trying again (% of 60)', adoption.source, attempt;
        END;
        COMMIT;
        EXIT WHEN attached;
        PERFORM pg_catalog.pg_sleep(least(attempt, 5));
    END LOOP;
    IF NOT attached THEN
        RAISE EXCEPTION 'no lock on % for the triggers', adoption.source
            USING ERRCODE = 'LP050',
            DETAIL = 'A transaction has been holding it all the time. Nothing was changed on the table.',
            HINT = 'Call it again when that transaction is over: it goes on where it stopped. pg_locks shows who.';
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.attach_adoption(bigint) IS
'Makes the triggers on an adopted table, unless they are there. Waits half a second for the lock (SHARE ROW EXCLUSIVE: '
'no writes for that moment), then lets everybody pass and tries again, 60 times in some 5 minutes. Commits. Error: '
'LP050. Internal: adopt_leads() and adopt_activities() call it.';
