-- Drops what former versions left behind, once nothing of ours is built on it any more. A fresh install finds nothing.
-- Without CASCADE: what somebody else built on it is not swept away but stops the load, and is named.
DO $obsolete$
DECLARE
    view_name text;
    signature text;
BEGIN
    FOREACH view_name IN ARRAY ARRAY[
        -- before reminders that wait had one clock, and jobs one frame
        'lead_protection.v_holds_about_to_end',
        'lead_protection.v_kpi_expiring',
        'lead_protection.v_kpi_outbox',
        'lead_protection.v_kpi_reactivations',
        'lead_protection.v_kpi_reminder_sla',
        'lead_protection.v_leads_on_hold',
        'lead_protection.v_metric_histograms'
    ] LOOP
        IF pg_catalog.to_regclass(view_name) IS NOT NULL THEN
            EXECUTE pg_catalog.format('DROP VIEW %s', pg_catalog.to_regclass(view_name));
        END IF;
    END LOOP;

    -- Who records them counts them. Asked for first: DROP TRIGGER IF EXISTS would lock the table each time.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = 'lead_protection.lead_expiries'::regclass AND t.tgname = 'count_expiries'
    ) THEN
        DROP TRIGGER count_expiries ON lead_protection.lead_expiries;
    END IF;
    IF EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = 'lead_protection.lead_reminders'::regclass AND t.tgname = 'count_reminders'
    ) THEN
        DROP TRIGGER count_reminders ON lead_protection.lead_reminders;
    END IF;

    FOREACH signature IN ARRAY ARRAY[
        -- 0.1.0
        'lead_protection.derive_lead_protection(timestamptz)',
        'lead_protection.protection_expiry(timestamptz, tstzmultirange)',
        'lead_protection.base_expiry(timestamptz, lead_protection.protection_policies)',
        -- before policies limited holds
        'lead_protection.create_policy_version('
        'text, bigint, text, integer, integer, integer, text, time, boolean, integer)',
        -- before reminders had a pace
        'lead_protection.send_due_reminders(timestamptz, integer)',
        -- before one check_source() for tables of every kind, and other words of adoption
        'lead_protection.check_lead_source(regclass, name, name, name, text, text, text, text, name)',
        'lead_protection.check_activity_source(regclass, name, name, name, name, text, text)',
        'lead_protection.check_hold_source(regclass, name, name, name, name, text, text)',
        'lead_protection.check_reminder_source(regclass, name, name, name, text)',
        'lead_protection.check_source(regclass, jsonb)',
        'lead_protection.problems_of_users(regclass, name)',
        'lead_protection.require_adoptable_source(text, text[])',
        'lead_protection.record_adoption(text, regclass, jsonb, text[], name, name, text[], text, bigint)',
        'lead_protection.attach_adoption(bigint)',
        'lead_protection.adopted_lead_rows(lead_protection.adoptions, text[])',
        'lead_protection.adopted_activity_rows(lead_protection.adoptions, text[])',
        'lead_protection.adopted_instant(regclass, name, text)',
        'lead_protection.adopted_past(timestamptz)',
        'lead_protection.adopted_user(regclass, name)',
        'lead_protection.living_adoption(bigint)',
        'lead_protection.record_adopted_past(bigint[])',
        'lead_protection.record_past_of_adoption(integer)',
        'lead_protection.work_off_adoption_queue()',
        -- before overdue reminders could be sent after all
        'lead_protection.record_passed_deadlines(bigint[])',
        'lead_protection.record_all_passed_deadlines(integer)',
        'lead_protection.switch_on_adoption(integer)',
        -- before one way of following adopted tables
        'lead_protection.adopted_rows(lead_protection.adoptions, text[])',
        'lead_protection.next_adopted_rows(lead_protection.adoptions, integer)',
        'lead_protection.instant_expression(regclass, name, text)',
        'lead_protection.user_expressions(regclass, name)',
        'lead_protection.number_adopted_users(text, text, text, text[])',
        'lead_protection.require_adoptable_row(lead_protection.adoptions, text, bigint, timestamptz)',
        'lead_protection.apply_adopted_lead('
        'lead_protection.adoptions, lead_protection.adopted_leads, bigint, timestamptz, text)',
        'lead_protection.sync_adopted_leads(lead_protection.adoptions, bigint[], boolean)',
        'lead_protection.sync_adopted_activities(lead_protection.adoptions, text[], bigint[], boolean)',
        'lead_protection.sync_adopted_rows(lead_protection.adoptions, text[], bigint[], boolean)',
        'lead_protection.try_sync_adopted_rows(lead_protection.adoptions, text[], bigint[], boolean)',
        'lead_protection.retry_adoption_queue(timestamptz, integer)',
        'lead_protection.drain_adoption_queue()',
        'lead_protection.queue_adoption_drift(integer)',
        'lead_protection.record_adoption(text, regclass, jsonb, text[], text, bigint)',
        'lead_protection.adopt_leads('
        'regclass, bigint, name, name, name, text, text, text, text, name, text, integer)',
        'lead_protection.adopt_activities(regclass, bigint, name, name, name, name, text, text, text, integer)',
        'lead_protection.import_holds(regclass, bigint, name, name, name, name, text, text)',
        'lead_protection.import_reminders(regclass, name, name, name, text)',
        'lead_protection.lock_leads(bigint[])',
        -- before dry runs, and other words of leads and holds
        'lead_protection.bulk_leads(bigint[], bigint)',
        'lead_protection.claim_bulk_request(text, jsonb)',
        'lead_protection.correct_lead_hold(bigint, integer, timestamptz, timestamptz, text, bigint)',
        'lead_protection.create_lead_hold(bigint, bigint, text, bigint, timestamptz, timestamptz)',
        'lead_protection.end_holds(lead_protection.v_user_lead_protection, timestamptz, bigint, text)',
        'lead_protection.explain_activity(lead_protection.lead_clocks, timestamptz)',
        'lead_protection.extend_lead(bigint, bigint, integer, text, bigint, bigint, text)',
        'lead_protection.lies_ahead(timestamptz)',
        'lead_protection.move_leads_to_policy(bigint[], bigint, text, bigint)',
        'lead_protection.preview_hold_correction(bigint, timestamptz, timestamptz)',
        'lead_protection.preview_hold_void(bigint)',
        'lead_protection.preview_lead_extension(bigint, bigint, integer)',
        'lead_protection.preview_lead_hold(bigint, bigint, timestamptz, timestamptz)',
        'lead_protection.preview_policy_move(bigint[], bigint)',
        'lead_protection.record_lead_updates()',
        'lead_protection.refresh_clocks_of_changed_leads()',
        'lead_protection.refuse_new_meaning()',
        'lead_protection.refuse_new_terms()',
        'lead_protection.require_hold_version(lead_protection.lead_holds, integer)',
        'lead_protection.require_known_lead(bigint, timestamptz)',
        'lead_protection.require_past_instant(timestamptz, text)',
        'lead_protection.require_protected_lead(bigint, bigint, timestamptz)',
        'lead_protection.require_sensible_instant(timestamptz, text)',
        'lead_protection.require_standing_hold(lead_protection.lead_holds)',
        'lead_protection.show_lead(bigint, timestamptz)',
        'lead_protection.show_leads(bigint[], timestamptz)',
        'lead_protection.void_lead_hold(bigint, integer, text, bigint)',
        -- before reminders that wait had one clock, and jobs one frame
        'lead_protection.cloud_event(lead_protection.outbox_events)',
        'lead_protection.confirm_reminder_delivery(bigint, bigint, date, text, timestamptz)',
        'lead_protection.count_expiries()',
        'lead_protection.count_reminders()',
        'lead_protection.help_situation(text, jsonb)',
        'lead_protection.plan_reminder_retry('
        'lead_protection.lead_reminders, lead_protection.reminder_deliveries, timestamptz)',
        'lead_protection.require_open_lead(lead_protection.v_user_lead_protection)',
        'lead_protection.require_running_lead(lead_protection.v_user_lead_protection)',
        'lead_protection.fail_reminder_delivery(bigint, bigint, date, text, text, timestamptz)',
        'lead_protection.metric_labels(jsonb)',
        'lead_protection.oldest_reminder_due_at()',
        'lead_protection.purge_job_history(interval)',
        'lead_protection.require_job_arguments(timestamptz, integer)',
        'lead_protection.reminder_details(date, timestamptz, bigint)',
        'lead_protection.require_keep(interval)',
        'lead_protection.require_known_reminder(bigint, bigint, date)',
        'lead_protection.require_pg_cron()',
        'lead_protection.start_counters()',
        'lead_protection.start_job_run(text)',
        'lead_protection.try_job_lock(text)',
        'lead_protection.update_job_run(bigint, jsonb, text, text)',
        -- before a correction gave a hold another reason
        'lead_protection.correct_lead_hold('
        'bigint, integer, timestamptz, timestamptz, text, bigint, boolean)',
        -- before one call took many leads
        'lead_protection.close_lead_as('
        'lead_protection.v_user_lead_protection, text, text, timestamptz, bigint, text, jsonb)',
        'lead_protection.hand_over_lead('
        'lead_protection.v_user_lead_protection, bigint, text, timestamptz, bigint, text)',
        -- before locks were rows, and the pipeline decided for now
        'lead_protection.announce_hold_limits(interval)',
        'lead_protection.begin_bulk_request(text, jsonb, bigint[], bigint)',
        'lead_protection.create_policy_version('
        'text, bigint, text, integer, integer, integer, text, time, boolean, integer, integer, integer)',
        'lead_protection.create_policy_version('
        'text, bigint, text, integer, integer, integer, text, time, boolean, integer, integer, integer, boolean)',
        'lead_protection.end_overrun_holds()',
        'lead_protection.job_lock_key(text)',
        -- before a policy could count by days
        'lead_protection.create_policy_version('
        'text, bigint, text, integer, integer, integer, text, time, boolean, integer, integer, integer, boolean)',
        'lead_protection.noticed_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange)',
        'lead_protection.rule_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange)',
        'lead_protection.stop_clock(timestamptz, tstzmultirange)',
        -- before policies warned early
        'lead_protection.create_policy_version('
        'text, bigint, text, integer, integer, integer, text, time, boolean, integer, integer, integer, boolean,'
        ' text, text, bigint, text, text, text)',
        'lead_protection.reminders_to_send(timestamptz)',
        'lead_protection.run_protection_pipeline(timestamptz, integer)'
    ] LOOP
        IF pg_catalog.to_regprocedure(signature) IS NOT NULL THEN
            EXECUTE pg_catalog.format('DROP ROUTINE %s', pg_catalog.to_regprocedure(signature));
        END IF;
    END LOOP;
END
$obsolete$;
