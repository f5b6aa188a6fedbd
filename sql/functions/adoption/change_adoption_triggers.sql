-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.change_adoption_triggers(adoption_id bigint, wanted boolean)
LANGUAGE plpgsql
AS $$
DECLARE
    changed boolean := false;
BEGIN
    FOR attempt IN 1..60 LOOP
        changed := lead_protection.try_change_triggers(
            change_adoption_triggers.adoption_id, change_adoption_triggers.wanted, attempt
        );
        COMMIT;
        EXIT WHEN changed;
        PERFORM pg_catalog.pg_sleep(least(attempt, 5));
    END LOOP;
    IF NOT changed THEN
        RAISE EXCEPTION 'no lock on the table for its triggers'
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
'tries again, 60 times in some 5 minutes. Commits. Error: LP050. Internal: adopt_leads() and its like and '
'disown_source() call it.';
