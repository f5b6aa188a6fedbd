CREATE OR REPLACE FUNCTION lead_protection.end_overrun_holds(batch_size integer DEFAULT 1000)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided_at timestamptz;
    found_leads bigint [];
    lead_ids bigint [];
    passed_over bigint [] := '{}'::bigint [];
    before lead_protection.v_user_lead_protection;
    hold lead_protection.lead_holds;
    overrun record;
    ended bigint := 0::bigint;
BEGIN
    PERFORM lead_protection.require_job_arguments(NULL, end_overrun_holds.batch_size);
    -- Locked first, then looked at once more, and only at those: somebody may have released or corrected one meanwhile,
    -- or moved another lead to a stricter policy.
    LOOP
        found_leads := ARRAY(
            SELECT DISTINCT a.lead_id
            FROM lead_protection.v_active_holds AS a
            WHERE a.overrun AND a.lead_id <> ALL(passed_over)
            ORDER BY a.lead_id
            LIMIT end_overrun_holds.batch_size
        );
        lead_ids := lead_protection.lock_free_leads(found_leads, 'lead-protection-nightly', 'holds_overrun');
        EXIT WHEN lead_ids <> '{}' OR found_leads = '{}';
        passed_over := passed_over || found_leads;
    END LOOP;
    decided_at := clock_timestamp();
    FOR overrun IN
        SELECT a.hold_id, a.lead_id, a.limit_at
        FROM lead_protection.v_active_holds AS a
        WHERE a.overrun AND a.lead_id = ANY(lead_ids)
        ORDER BY a.lead_id
    LOOP
        before := lead_protection.read_lead(overrun.lead_id, decided_at);
        UPDATE lead_protection.lead_holds AS h
        SET end_at = greatest(overrun.limit_at, h.start_at), overrun_at = decided_at
        WHERE h.id = overrun.hold_id
        RETURNING h.* INTO hold;
        PERFORM lead_protection.log_lead_change(
            'lead.hold.overrun', before, lead_protection.read_lead(hold.lead_id, decided_at), decided_at,
            NULL, 'the hold passed the limit of its policy', lead_protection.hold_details(hold)
        );
        ended := ended + 1;
    END LOOP;
    RETURN ended;
END;
$$;

COMMENT ON FUNCTION lead_protection.end_overrun_holds(integer) IS
'Ends open holds that have passed the limit of their policy, at the instant of the limit and not of the call. Logs '
'and publishes lead.hold.overrun for each, as done by the system (actor_id null). batch_size leads at most; those '
'that others hold locked are noted in passed_over_leads. Returns how many; 0: none is left. Error: LP016 batch_size. '
'Internal: run_nightly_maintenance() calls it.';
