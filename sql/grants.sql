-- Nothing for PUBLIC, and for each group role what its work needs. Rights that were taken away here in a later version
-- are taken away on apply, because everything is revoked first.
REVOKE ALL ON SCHEMA lead_protection FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA lead_protection FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA lead_protection FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA lead_protection FROM PUBLIC;

DO $grants$
DECLARE
    group_role text;
    statement text;
BEGIN
    FOREACH group_role IN ARRAY ARRAY['lead_protection_app', 'lead_protection_operator', 'lead_protection_monitor', 'lead_protection_jobs', 'lead_protection_consumer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = group_role) THEN
            RAISE NOTICE 'role % is missing: it gets no rights', group_role
                USING HINT = pg_catalog.format('Have it made with CREATE ROLE %I NOLOGIN, then run apply again.', group_role);
            CONTINUE;
        END IF;
        FOREACH statement IN ARRAY ARRAY[
            'REVOKE ALL ON SCHEMA lead_protection FROM %I',
            'REVOKE ALL ON ALL TABLES IN SCHEMA lead_protection FROM %I',
            'REVOKE ALL ON ALL SEQUENCES IN SCHEMA lead_protection FROM %I',
            'REVOKE ALL ON ALL ROUTINES IN SCHEMA lead_protection FROM %I',
            'GRANT USAGE ON SCHEMA lead_protection TO %I'
        ] LOOP
            EXECUTE pg_catalog.format(statement, group_role);
        END LOOP;

        -- Reading the view: a function in a view runs with its reader's rights.
        IF group_role IN ('lead_protection_app', 'lead_protection_operator', 'lead_protection_monitor') THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT SELECT ON lead_protection.v_user_lead_protection, lead_protection.lead_clocks TO %I',
                'GRANT SELECT ON lead_protection.v_active_holds, lead_protection.v_holds_about_to_end TO %I',
                'GRANT SELECT ON lead_protection.v_leads_on_hold, lead_protection.hold_reasons TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.hold_limit(lead_protection.lead_holds, timestamptz) TO %I',
                'GRANT SELECT ON lead_protection.protection_policies, lead_protection.leads, lead_protection.lead_holds TO %I',
                'GRANT SELECT ON lead_protection.lead_reminders, lead_protection.lead_expiries TO %I',
                'GRANT SELECT ON lead_protection.reminder_deliveries, lead_protection.v_lead_reminders TO %I',
                'GRANT SELECT ON lead_protection.lead_history, lead_protection.lead_extensions TO %I',
                'GRANT SELECT ON lead_protection.lead_activities, lead_protection.activity_kinds TO %I',
                'GRANT SELECT ON lead_protection.policy_assignments, lead_protection.adopted_users TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.user_lead_protection(timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.protection_as_of(timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.derive_lead_clocks(timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.clock_at(lead_protection.lead_clocks, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.is_on_hold(lead_protection.lead_clocks, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.protection_state(lead_protection.lead_clocks, timestamptz, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.awaited_expiry(lead_protection.lead_clocks, timestamptz, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.waits_for_notice(lead_protection.lead_clocks, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.stop_clock(timestamptz, tstzmultirange) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.rule_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.noticed_expiry(timestamptz, timestamptz, timestamptz, tstzmultirange) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.recounted_expiry(lead_protection.lead_clocks, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.calendar_expiry(timestamptz, text, integer, integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.plus_elapsed(timestamptz, interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.explain_protection(bigint, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.explain_protection_json(bigint, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.forecast_protection(integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.find_help(text, text) TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role IN ('lead_protection_app', 'lead_protection_operator') THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT EXECUTE ON FUNCTION lead_protection.create_lead_hold(bigint, bigint, text, bigint, timestamptz, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.release_lead_hold(bigint, bigint, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.record_lead_activity(bigint, bigint, text, timestamptz, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.correct_lead_activity(bigint, text, text, timestamptz, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.delete_lead_activity(bigint, text, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.correct_lead_hold(bigint, integer, timestamptz, timestamptz, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.void_lead_hold(bigint, integer, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.preview_hold_correction(bigint, timestamptz, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.preview_hold_void(bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.hold_leads(text, text, bigint, bigint[], bigint, timestamptz, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.release_leads(text, bigint, bigint[], bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.transfer_lead(bigint, bigint, bigint, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.extend_lead(bigint, bigint, integer, text, bigint, bigint, text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.backdate_lead(bigint, bigint, timestamptz, text, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.close_lead(bigint, bigint, text, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.reopen_lead(bigint, bigint, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.delete_lead(bigint, bigint, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.preview_lead_hold(bigint, bigint, timestamptz, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.preview_lead_extension(bigint, bigint, integer) TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role = 'lead_protection_app' THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT INSERT (id, user_id, policy_id, created_at) ON lead_protection.leads TO %I',
                'GRANT SELECT ON lead_protection.outbox_events TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role = 'lead_protection_consumer' THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT SELECT ON lead_protection.outbox_events, lead_protection.v_cloud_events TO %I',
                'GRANT SELECT ON lead_protection.event_types TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role IN ('lead_protection_consumer', 'lead_protection_operator') THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT EXECUTE ON FUNCTION lead_protection.claim_events(text, integer, interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.acknowledge_events(text, uuid, uuid[]) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.fail_events(text, uuid, uuid[], text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.start_reminder_delivery(bigint, bigint, date, text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.confirm_reminder_delivery(bigint, bigint, date, text, timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.fail_reminder_delivery(bigint, bigint, date, text, text, timestamptz) TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role IN ('lead_protection_consumer', 'lead_protection_operator', 'lead_protection_monitor') THEN
            EXECUTE pg_catalog.format(
                'GRANT EXECUTE ON FUNCTION lead_protection.cloud_event(lead_protection.outbox_events) TO %I', group_role
            );
        END IF;

        IF group_role IN ('lead_protection_operator', 'lead_protection_monitor') THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT SELECT ON ALL TABLES IN SCHEMA lead_protection TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.find_clock_drift() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.find_adoption_drift() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.adopted_tables() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.preview_switch_on() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.elapsed_text(interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.job_lock_key(text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.waiting_reason() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.metric_samples(text[]) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.metric_labels(jsonb) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.oldest_reminder_due_at() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.prometheus_metrics() TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role = 'lead_protection_operator' THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT EXECUTE ON FUNCTION lead_protection.create_policy_version(text, bigint, text, integer, integer, integer, text, time, boolean, integer, integer, integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.set_default_policy(bigint, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.assign_user_policy(bigint, bigint, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.move_leads_to_policy(bigint[], bigint, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.preview_policy_move(bigint[], bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.override_hold_limit(bigint, integer, timestamptz, text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.register_event_consumer(text, text[], timestamptz, integer, interval, boolean) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.unregister_event_consumer(text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.replay_events(text, timestamptz, timestamptz, text[], boolean) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.discard_dead_events(text, uuid[], text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.configure_reminders(integer, integer, integer, interval) TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role = 'lead_protection_operator' THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT EXECUTE ON FUNCTION lead_protection.pause_protection(text, bigint) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.resume_protection(bigint) TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;

        IF group_role IN ('lead_protection_operator', 'lead_protection_jobs') THEN
            FOREACH statement IN ARRAY ARRAY[
                'GRANT EXECUTE ON FUNCTION lead_protection.job_lock_key(text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.waiting_reason() TO %I',
                'GRANT SELECT ON lead_protection.job_definitions TO %I',
                'GRANT EXECUTE ON PROCEDURE lead_protection.run_protection_pipeline(timestamptz, integer) TO %I',
                'GRANT EXECUTE ON PROCEDURE lead_protection.run_nightly_maintenance(interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.try_job_lock(text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.retry_adoption_queue(timestamptz, integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.queue_adoption_drift(integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.start_job_run(text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.update_job_run(bigint, jsonb, text, text) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.record_reactivations(timestamptz, integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.reminders_to_send(timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.send_due_reminders(bigint[], timestamptz) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.record_expiries(timestamptz, integer) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.mend_clock_drift() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.refresh_metrics(interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.end_overrun_holds() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.announce_hold_limits(interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.purge_events(interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.purge_job_history(interval) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.schedule_jobs() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.schedule_jobs_sql(boolean) TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.unschedule_jobs() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.unschedule_jobs_sql() TO %I',
                'GRANT EXECUTE ON FUNCTION lead_protection.require_pg_cron() TO %I'
            ] LOOP
                EXECUTE pg_catalog.format(statement, group_role);
            END LOOP;
        END IF;
    END LOOP;
END
$grants$;
