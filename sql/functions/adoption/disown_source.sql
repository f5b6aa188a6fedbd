-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.disown_source(source text)
LANGUAGE plpgsql
AS $$
DECLARE
    adoption lead_protection.adoptions;
    left_commands text;
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
        CALL lead_protection.record_all_passed_deadlines(1000);
    END IF;
    CALL lead_protection.change_adoption_triggers(adoption.id, false);
    left_commands := (
        SELECT pg_catalog.string_agg(pg_catalog.format('DROP TRIGGER %I ON %s', t.trigger_name, t.source), '; ')
        FROM lead_protection.adopted_tables() AS t
        WHERE t.adoption_id = adoption.id
    );
    IF left_commands IS NOT NULL THEN
        RAISE EXCEPTION 'the triggers on % are still there: % does not own the table', adoption.source, CURRENT_USER
            USING ERRCODE = 'LP053',
            DETAIL = 'The table is disowned: they do nothing any more.',
            HINT = 'As the owner of the table: ' || left_commands || '.';
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
