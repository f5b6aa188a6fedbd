CREATE OR REPLACE FUNCTION lead_protection.try_change_triggers(adoption_id bigint, wanted boolean, attempt integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
-- Whoever waits for a lock on a live table makes all that come after wait, too: so not for long.
SET lock_timeout = '500ms'
AS $$
-- The table's name was quoted when it was adopted.
-- @plpgsql_check_options: security_warnings = off
DECLARE
    adoption lead_protection.adoptions;
    made_at text;
    note_taker text;
    drop_command text;
BEGIN
    -- Under its lock: nobody adopts or disowns it meanwhile.
    SELECT a.* INTO adoption
    FROM lead_protection.adoptions AS a
    WHERE a.id = try_change_triggers.adoption_id
    FOR NO KEY UPDATE;
    note_taker := format('lead_protection.follow_adopted_source_%s', adoption.id);
    IF try_change_triggers.wanted THEN
        made_at := extract(EPOCH FROM adoption.adopted_at)::text;
        IF adoption.disowned_at IS NULL AND (
            SELECT count(*) < 4
            FROM lead_protection.adopted_tables() AS t
            INNER JOIN pg_trigger AS g ON t.relation = g.tgrelid AND t.trigger_name = g.tgname
            WHERE
                t.adoption_id = adoption.id AND t.adopted_at = made_at AND t.source = adoption.source
                AND g.tgfoid = to_regproc(note_taker)
        ) THEN
            PERFORM lead_protection.make_note_taker(adoption);
            -- Transition tables allow one event a trigger.
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER lead_protection_%4$sinsert AFTER INSERT ON %1$s
                REFERENCING NEW TABLE AS new_rows
                FOR EACH STATEMENT EXECUTE FUNCTION %5$s(%2$L, %3$L);
                CREATE OR REPLACE TRIGGER lead_protection_%4$supdate AFTER UPDATE ON %1$s
                REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                FOR EACH STATEMENT EXECUTE FUNCTION %5$s(%2$L, %3$L);
                CREATE OR REPLACE TRIGGER lead_protection_%4$sdelete AFTER DELETE ON %1$s
                REFERENCING OLD TABLE AS old_rows
                FOR EACH STATEMENT EXECUTE FUNCTION %5$s(%2$L, %3$L);
                CREATE OR REPLACE TRIGGER lead_protection_%4$struncate BEFORE TRUNCATE ON %1$s
                FOR EACH STATEMENT EXECUTE FUNCTION %5$s(%2$L, %3$L)',
                adoption.source, adoption.id, made_at,
                -- One table may be two: leads, and their holds in a pair of columns.
                CASE WHEN adoption.kind IN ('owners', 'holds') THEN adoption.kind || '_' ELSE '' END,
                note_taker
            );
        END IF;
        RETURN true;
    END IF;

    UPDATE lead_protection.adoptions AS a
    SET disowned_at = coalesce(a.disowned_at, clock_timestamp())
    WHERE a.id = adoption.id
    RETURNING a.* INTO adoption;
    DELETE FROM lead_protection.adoption_queue AS q WHERE q.adoption_id = adoption.id;
    -- Whoever does not own the table cannot drop its triggers: they do nothing from now on.
    PERFORM lead_protection.make_note_taker(adoption);
    FOR drop_command IN
        SELECT format('DROP TRIGGER %I ON %s', t.trigger_name, t.source)
        FROM lead_protection.adopted_tables() AS t
        WHERE t.adoption_id = adoption.id
    LOOP
        BEGIN
            EXECUTE drop_command;
        EXCEPTION
            WHEN insufficient_privilege THEN
                NULL;
        END;
    END LOOP;
    PERFORM lead_protection.let_reader_read(c.oid, false) FROM pg_class AS c WHERE c.oid = adoption.source_oid;
    IF NOT EXISTS (SELECT FROM lead_protection.adopted_tables() AS t WHERE t.adoption_id = adoption.id) THEN
        EXECUTE format('DROP FUNCTION %s()', note_taker);
    END IF;
    RETURN true;
EXCEPTION
    WHEN lock_not_available THEN
        RAISE NOTICE '%: others hold locks on it, trying again (% of 60)', (
            SELECT a.source FROM lead_protection.adoptions AS a WHERE a.id = try_change_triggers.adoption_id
        ), try_change_triggers.attempt;
        RETURN false;
END;
$$;

COMMENT ON FUNCTION lead_protection.try_change_triggers(bigint, boolean, integer) IS
'One attempt of change_adoption_triggers(): true, it is done; false, others hold a lock. Internal.';
