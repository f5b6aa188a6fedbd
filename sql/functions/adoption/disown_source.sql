-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.disown_source(source text)
LANGUAGE plpgsql
AS $$
-- The table's name was quoted when it was adopted.
-- @plpgsql_check_options: security_warnings = off
DECLARE
    adoption lead_protection.adoptions;
    detached boolean := false;
    not_ours boolean := false;
    our_trigger record;
BEGIN
    -- By the name it has now, or had when it was adopted.
    SELECT a.* INTO adoption
    FROM lead_protection.adoptions AS a
    LEFT JOIN lead_protection.adopted_tables() AS t ON a.id = t.adoption_id
    WHERE pg_catalog.to_regclass(t.source) = pg_catalog.to_regclass(disown_source.source)
        OR a.source = disown_source.source
        OR pg_catalog.to_regclass(a.source) = pg_catalog.to_regclass(disown_source.source)
    ORDER BY pg_catalog.to_regclass(t.source) = pg_catalog.to_regclass(disown_source.source) DESC NULLS LAST
    LIMIT 1;
    IF adoption.id IS NULL THEN
        RAISE EXCEPTION '% is not adopted', disown_source.source
            USING ERRCODE = 'LP051',
            DETAIL = pg_catalog.format('Adopted are: %s.', coalesce(
                (
                    SELECT pg_catalog.string_agg(a.source, ', ')
                    FROM lead_protection.adoptions AS a
                    WHERE a.disowned_at IS NULL
                ),
                'none'
            )),
            HINT = 'Give the table with its schema, as adoptions.source has it.';
    END IF;
    -- The pipeline waits for the switch-on no longer: what lies in the past must not be sent then.
    IF adoption.kind = 'leads' AND adoption.disowned_at IS NULL AND adoption.switched_on_at IS NULL THEN
        CALL lead_protection.record_past_of_adoption(1000);
    END IF;
    FOR attempt IN 1..60 LOOP
        PERFORM pg_catalog.set_config('lock_timeout', '500ms', true);
        BEGIN
            UPDATE lead_protection.adoptions AS a
            SET disowned_at = coalesce(a.disowned_at, pg_catalog.clock_timestamp())
            WHERE a.id = adoption.id;
            DELETE FROM lead_protection.adoption_queue AS q WHERE q.adoption_id = adoption.id;
            FOR our_trigger IN
                SELECT t.trigger_name, t.source
                FROM lead_protection.adopted_tables() AS t
                WHERE t.adoption_id = adoption.id
            LOOP
                -- TRIGGER is a right to make them; to drop them takes the owner. Without a living adoption they do nothing.
                BEGIN
                    EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', our_trigger.trigger_name, our_trigger.source);
                EXCEPTION
                    WHEN insufficient_privilege THEN
                        not_ours := true;
                END;
            END LOOP;
            detached := true;
        EXCEPTION
            WHEN lock_not_available THEN
                RAISE NOTICE '%: others hold locks on it, trying again (% of 60)', adoption.source, attempt;
        END;
        COMMIT;
        EXIT WHEN detached;
        PERFORM pg_catalog.pg_sleep(least(attempt, 5));
    END LOOP;
    IF NOT detached THEN
        RAISE EXCEPTION 'no lock on % to drop the triggers', adoption.source
            USING ERRCODE = 'LP050',
            DETAIL = 'A transaction has been holding it all the time. The table is adopted as before.',
            HINT = 'Call it again when that transaction is over. pg_locks shows who.';
    END IF;
    IF not_ours THEN
        RAISE EXCEPTION 'the triggers on % are still there: % does not own the table', adoption.source, CURRENT_USER
            USING ERRCODE = 'LP053',
            DETAIL = 'The table is disowned: they do nothing any more.',
            HINT = 'As the owner of the table: ' || (
                SELECT pg_catalog.string_agg(pg_catalog.format('DROP TRIGGER %I ON %s', t.trigger_name, t.source), '; ')
                FROM lead_protection.adopted_tables() AS t
                WHERE t.adoption_id = adoption.id
            ) || '.';
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.disown_source(text) IS
'Lets go of an adopted table, of leads or activities: drops our triggers, which is all that was made on it. What was '
'taken over stays here as it is, and is followed no more; the table can be adopted again. If it was never switched on, '
'what lies in the past is recorded as by switch_on_adoption(), and the pipeline runs from then on. Waits half a second '
'for the lock on the table (ACCESS EXCLUSIVE), then lets everybody pass and tries again, 60 times in some 5 minutes. '
'Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated: nothing happens. Also for a '
'table that was dropped. Errors: LP050 locks of others, LP051 not adopted, LP053 only the owner of the table can drop '
'its triggers: until then they do nothing.';
