-- Only loops and commits: what it does is done in functions with a pinned path.
CREATE OR REPLACE PROCEDURE lead_protection.switch_on_adoption(
    batch_size integer DEFAULT 1000, send_overdue boolean DEFAULT false
)
LANGUAGE plpgsql
AS $$
DECLARE
    begun_at CONSTANT pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
    PERFORM lead_protection.require_job_arguments(NULL, switch_on_adoption.batch_size);
    PERFORM lead_protection.require_arguments(
        pg_catalog.jsonb_build_object('send_overdue', switch_on_adoption.send_overdue)
    );
    IF lead_protection.require_adoption_to_switch_on() THEN
        RETURN;
    END IF;
    WHILE lead_protection.follow_adoption_queue(begun_at) OPERATOR(pg_catalog.>) 0 LOOP
        COMMIT;
    END LOOP;
    COMMIT;
    CALL lead_protection.record_all_passed_deadlines(
        switch_on_adoption.batch_size, NOT switch_on_adoption.send_overdue
    );
    PERFORM lead_protection.mark_adoptions_switched_on();
    COMMIT;
END;
$$;

COMMENT ON PROCEDURE lead_protection.switch_on_adoption(integer, boolean) IS
'Lets reminders and expiries of adopted leads begin, of all tables of leads that wait for it. What lies in the past '
'is recorded as such, batch_size leads in a transaction, without log rows and events: protections that have ended, '
'and reminders that were due before (nobody is sent one, except where the policy requires a notice). send_overdue: '
'those reminders are not recorded but sent, by the pipeline, at the pace of configure_reminders(); ended protections '
'are recorded all the same. preview_switch_on() tells how many there are of each, and which. From then on the '
'pipeline runs. First adopt and import what else there is: adopt_activities(), adopt_holds(), import_reminders().
Commits, so it must be called outside a transaction block (2D000 otherwise). Repeated: goes on where it stopped; '
'once switched on, a NOTICE says so and nothing happens. Errors: LP001 send_overdue null, LP016, LP051 nothing is '
'adopted, or not all rows were taken over.';
