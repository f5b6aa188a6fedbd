-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.disown_source(source text)
LANGUAGE plpgsql
AS $$
DECLARE
    adoption_ids CONSTANT bigint [] := lead_protection.adoptions_to_disown(disown_source.source);
    left_commands pg_catalog.text;
BEGIN
    -- The pipeline waits for the switch-on no longer: what lies in the past must not be sent then.
    IF EXISTS (
        SELECT FROM lead_protection.adoptions AS a
        WHERE
            a.id OPERATOR(pg_catalog.=) ANY(adoption_ids) AND a.kind OPERATOR(pg_catalog.=) 'leads'
            AND a.disowned_at IS NULL AND a.switched_on_at IS NULL
    ) THEN
        CALL lead_protection.record_all_passed_deadlines(1000);
    END IF;
    FOR nth IN 1..pg_catalog.cardinality(adoption_ids) LOOP
        CALL lead_protection.change_adoption_triggers(adoption_ids[nth], false);
    END LOOP;
    left_commands := lead_protection.left_triggers(adoption_ids);
    IF left_commands IS NOT NULL THEN
        RAISE EXCEPTION 'the triggers on % are still there: % does not own the table', disown_source.source, CURRENT_USER
            USING ERRCODE = 'LP053',
            DETAIL = 'The table is disowned: they do nothing any more.',
            HINT = pg_catalog.format('As the owner of the table: %s.', left_commands);
    END IF;
END;
$$;

COMMENT ON PROCEDURE lead_protection.disown_source(text) IS
'Lets go of an adopted table, by the adoption''s name, or the table''s: drops our triggers, which is all that was '
'made on it. Of a table that was adopted twice, as leads and as their holds, give the names. What was taken over '
'stays here as it is, and is followed no more; the table can be adopted again. If it was never switched on, what lies '
'in the past is recorded as by switch_on_adoption(), and the pipeline runs from then on. Waits half a second for the '
'lock on the table (ACCESS EXCLUSIVE), then lets everybody pass and tries again, 60 times in some 5 minutes. Commits, '
'so it must be called outside a transaction block (2D000 otherwise). Repeated: nothing happens. Also for a table that '
'was dropped. Errors: LP050 locks of others, LP051 not adopted, LP053 only the owner of the table can drop its '
'triggers: until then they do nothing.';
