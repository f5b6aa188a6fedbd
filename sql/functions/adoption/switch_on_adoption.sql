-- A procedure that commits can carry no SET clause and be no SECURITY DEFINER: every name is qualified.
CREATE OR REPLACE PROCEDURE lead_protection.switch_on_adoption(batch_size integer DEFAULT 1000)
LANGUAGE plpgsql
AS $$
DECLARE
    adoption lead_protection.adoptions;
BEGIN
    PERFORM lead_protection.require_job_arguments(NULL, switch_on_adoption.batch_size);
    SELECT a.* INTO adoption FROM lead_protection.adoptions AS a WHERE a.kind = 'leads' AND a.disowned_at IS NULL;
    IF adoption.backfilled_at IS NULL THEN
        RAISE EXCEPTION 'there is no adopted table to switch on'
            USING ERRCODE = 'LP051',
            DETAIL = CASE
                WHEN adoption.id IS NULL THEN 'No table of leads is adopted.'
                ELSE pg_catalog.format('Rows of %s were not all taken over yet.', adoption.source)
            END,
            HINT = 'CALL lead_protection.adopt_leads(…), with the same arguments if it was interrupted.';
    END IF;
    IF adoption.switched_on_at IS NOT NULL THEN
        RAISE NOTICE '% was switched on at %', adoption.source, lead_protection.instant_text(adoption.switched_on_at);
        RETURN;
    END IF;

    CALL lead_protection.drain_adoption_queue();
    CALL lead_protection.record_all_passed_deadlines(switch_on_adoption.batch_size);
    UPDATE lead_protection.adoptions AS a
    SET switched_on_at = pg_catalog.clock_timestamp()
    WHERE a.id = adoption.id AND a.switched_on_at IS NULL AND a.disowned_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% was disowned, or switched on by another session, meanwhile', adoption.source
            USING ERRCODE = 'LP051',
            DETAIL = 'What lies in the past was recorded as such.',
            HINT = 'Look at lead_protection.adoptions.';
    END IF;
    COMMIT;
END;
$$;

COMMENT ON PROCEDURE lead_protection.switch_on_adoption(integer) IS
'Lets reminders and expiries of adopted leads begin. What lies in the past is recorded as such, batch_size leads in a '
'transaction, without log rows and events: protections that have ended, and reminders that were due before (nobody is '
'sent one, except where the policy requires a notice). preview_switch_on() tells how many there are of each. From then '
'on the pipeline runs. First import what else there is: adopt_activities(), import_holds(), import_reminders().
Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated: goes on where it stopped; once '
'switched on, a NOTICE says so and nothing happens. Errors: LP016, LP051 nothing is adopted, or not all rows were '
'taken over.';
