-- Nothing for PUBLIC, and for each group role what its work needs, as one matrix. A right that a later version takes
-- out of it is taken away on apply, because everything is revoked first. An object is touched once for all roles.
DO $grants$
DECLARE
    group_role text;
    here text[] := '{}';
    roles text;
    entry record;
BEGIN
    FOREACH group_role IN ARRAY ARRAY['app', 'operator', 'monitor', 'jobs', 'consumer', 'privacy'] LOOP
        group_role := 'lead_protection_' || group_role;
        IF pg_catalog.to_regrole(group_role) IS NULL THEN
            RAISE NOTICE 'role % is missing: it gets no rights', group_role
                USING HINT = pg_catalog.format(
                    'Have it made with CREATE ROLE %I NOLOGIN, then run apply again.', group_role
                );
        ELSE
            here := here || group_role;
        END IF;
    END LOOP;
    roles := pg_catalog.array_to_string('{PUBLIC}' || here, ', ');
    EXECUTE pg_catalog.format(
        'REVOKE ALL ON SCHEMA lead_protection FROM %1$s;
        REVOKE ALL ON ALL TABLES IN SCHEMA lead_protection FROM %1$s;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA lead_protection FROM %1$s;
        REVOKE ALL ON ALL ROUTINES IN SCHEMA lead_protection FROM %1$s',
        roles
    );
    FOREACH group_role IN ARRAY here LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA lead_protection TO %I', group_role);
        -- An application may say of a new lead whose it is and since when, and nothing else: it gets its user's policy,
        -- and another one only by an operator (protect_lead(), move_leads_to_policy()). closed_at is for the null that
        -- an ORM writes: refuse_closed_lead().
        IF group_role = 'lead_protection_app' THEN
            GRANT INSERT (id, user_id, created_at, closed_at) ON lead_protection.leads TO lead_protection_app;
        END IF;
        -- Operators and monitors read all there is; the matrix names what others read, too.
        IF group_role IN ('lead_protection_operator', 'lead_protection_monitor') THEN
            EXECUTE pg_catalog.format('GRANT SELECT ON ALL TABLES IN SCHEMA lead_protection TO %I', group_role);
        END IF;
    END LOOP;

    -- A table or view is read, a routine is called. The functions of the rule are here because a function in a view
    -- runs with the rights of whoever reads the view.
    FOR entry IN
        SELECT
            CASE
                WHEN c.oid IS NOT NULL THEN pg_catalog.format('SELECT ON lead_protection.%I', m.object)
                ELSE pg_catalog.format('EXECUTE ON ROUTINE %s', p.oid::regprocedure)
            END AS rights,
            pg_catalog.string_agg(pg_catalog.quote_ident(g.group_role), ', ' ORDER BY g.group_role) AS group_roles
        FROM (
            VALUES
            -- object                             app   oper. mon.  jobs  consumer
            -- calendars
            ('calendar_days',                     'x',  'x',  'x',  '',   ''),
            ('calendars',                         'x',  'x',  'x',  '',   ''),
            ('holiday_rules',                     'x',  'x',  'x',  '',   ''),
            ('v_calendar_days',                   'x',  'x',  'x',  '',   ''),
            ('create_calendar_version',           '',   'x',  '',   '',   ''),
            ('easter_sunday',                     'x',  'x',  'x',  '',   ''),
            ('is_working_day',                    'x',  'x',  'x',  '',   ''),
            ('nearest_working_day',               'x',  'x',  'x',  '',   ''),
            ('next_working_day',                  'x',  'x',  'x',  '',   ''),
            ('previous_working_day',              'x',  'x',  'x',  '',   ''),
            -- rule
            ('awaited_expiry',                    'x',  'x',  'x',  '',   ''),
            ('calendar_expiry',                   'x',  'x',  'x',  '',   ''),
            ('clock_at',                          'x',  'x',  'x',  '',   ''),
            ('derive_lead_clocks',                'x',  'x',  'x',  '',   ''),
            ('hold_stops',                        'x',  'x',  'x',  '',   ''),
            ('is_on_hold',                        'x',  'x',  'x',  '',   ''),
            ('is_plainly_held',                   'x',  'x',  'x',  '',   ''),
            ('notice_received_at',                'x',  'x',  'x',  '',   ''),
            ('noticed_expiry',                    'x',  'x',  'x',  '',   ''),
            ('protection_end',                    'x',  'x',  'x',  '',   ''),
            ('protection_state',                  'x',  'x',  'x',  '',   ''),
            ('pushed_expiry',                     'x',  'x',  'x',  '',   ''),
            ('recounted_expiry',                  'x',  'x',  'x',  '',   ''),
            ('reminder_window',                   'x',  'x',  'x',  '',   ''),
            ('rule_expiry',                       'x',  'x',  'x',  '',   ''),
            ('running_clock',                     'x',  'x',  'x',  '',   ''),
            ('stop_clock',                        'x',  'x',  'x',  '',   ''),
            ('stopped_time_left',                 'x',  'x',  'x',  '',   ''),
            ('waits_for_notice',                  'x',  'x',  'x',  '',   ''),
            -- cache
            ('lead_clocks',                       'x',  'x',  'x',  '',   ''),
            ('v_user_lead_protection',            'x',  'x',  'x',  '',   ''),
            ('find_clock_drift',                  '',   'x',  'x',  '',   ''),
            ('mend_clock_drift',                  '',   'x',  '',   '',   ''),
            ('user_lead_protection',              'x',  'x',  'x',  '',   ''),
            -- policies
            ('policy_assignments',                'x',  'x',  'x',  '',   ''),
            ('policy_warnings',                   'x',  'x',  'x',  '',   ''),
            ('protection_policies',               'x',  'x',  'x',  '',   ''),
            ('assign_user_policy',                '',   'x',  '',   '',   ''),
            ('create_policy_version',             '',   'x',  '',   '',   ''),
            ('limits_count_from',                 'x',  'x',  'x',  '',   ''),
            ('move_leads_to_policy',              '',   'x',  '',   '',   ''),
            ('set_default_policy',                '',   'x',  '',   '',   ''),
            -- leads
            ('lead_extensions',                   'x',  'x',  'x',  '',   ''),
            ('lead_history',                      'x',  'x',  'x',  '',   ''),
            ('leads',                             'x',  'x',  'x',  '',   ''),
            ('backdate_lead',                     'x',  'x',  '',   '',   ''),
            ('close_lead',                        'x',  'x',  '',   '',   ''),
            ('close_leads',                       'x',  'x',  '',   '',   ''),
            ('delete_lead',                       'x',  'x',  '',   '',   ''),
            ('extend_lead',                       'x',  'x',  '',   '',   ''),
            ('give_back_lead',                    'x',  'x',  '',   '',   ''),
            ('lead_log',                          'x',  'x',  'x',  '',   ''),
            ('protect_lead',                      'x',  'x',  '',   '',   ''),
            ('reopen_lead',                       'x',  'x',  '',   '',   ''),
            ('transfer_lead',                     'x',  'x',  '',   '',   ''),
            ('transfer_leads',                    'x',  'x',  '',   '',   ''),
            ('void_lead_closing',                 '',   'x',  '',   '',   ''),
            -- log
            ('erase_texts',                       '',   '',   '',   '',   ''),
            ('verify_protection_log',             '',   'x',  'x',  '',   ''),
            -- activities
            ('activity_kinds',                    'x',  'x',  'x',  '',   ''),
            ('lead_activities',                   'x',  'x',  'x',  '',   ''),
            ('correct_lead_activity',             'x',  'x',  '',   '',   ''),
            ('delete_lead_activity',              'x',  'x',  '',   '',   ''),
            ('record_lead_activity',              'x',  'x',  '',   '',   ''),
            -- holds
            ('hold_reasons',                      'x',  'x',  'x',  '',   ''),
            ('lead_holds',                        'x',  'x',  'x',  '',   ''),
            ('v_active_holds',                    'x',  'x',  'x',  '',   ''),
            ('v_kpi_holds',                       'x',  'x',  'x',  '',   ''),
            ('announce_hold_limits',              '',   'x',  '',   '',   ''),
            ('correct_lead_hold',                 'x',  'x',  '',   '',   ''),
            ('create_lead_hold',                  'x',  'x',  '',   '',   ''),
            ('end_overrun_holds',                 '',   'x',  '',   '',   ''),
            ('hold_leads',                        'x',  'x',  '',   '',   ''),
            ('hold_limit',                        'x',  'x',  'x',  '',   ''),
            ('override_hold_limit',               '',   'x',  '',   '',   ''),
            ('release_lead_hold',                 'x',  'x',  '',   '',   ''),
            ('release_leads',                     'x',  'x',  '',   '',   ''),
            ('void_lead_hold',                    'x',  'x',  '',   '',   ''),
            -- explain
            ('explain_protection',                'x',  'x',  'x',  '',   ''),
            ('explain_protection_json',           'x',  'x',  'x',  '',   ''),
            ('forecast_protection',               'x',  'x',  'x',  '',   ''),
            ('is_sensible_instant',               'x',  'x',  'x',  '',   ''),
            ('protection_as_of',                  'x',  'x',  'x',  '',   ''),
            -- statement
            ('protection_report',                 '',   'x',  'x',  '',   ''),
            ('protection_statement',              'x',  'x',  'x',  '',   ''),
            ('statement_of_user',                 'x',  'x',  'x',  '',   ''),
            ('statement_texts',                   'x',  'x',  'x',  '',   ''),
            -- seals
            ('export_log',                        '',   'x',  'x',  '',   ''),
            ('seal_checkpoint',                   '',   'x',  'x',  '',   ''),
            -- events
            ('event_types',                       '',   'x',  'x',  '',   'x'),
            ('outbox_events',                     'x',  'x',  'x',  '',   'x'),
            ('v_cloud_events',                    '',   'x',  'x',  '',   'x'),
            ('acknowledge_events',                '',   'x',  '',   '',   'x'),
            ('claim_events',                      '',   'x',  '',   '',   'x'),
            ('discard_dead_events',               '',   'x',  '',   '',   ''),
            ('fail_events',                       '',   'x',  '',   '',   'x'),
            ('register_event_consumer',           '',   'x',  '',   '',   ''),
            ('replay_events',                     '',   'x',  '',   '',   ''),
            ('unregister_event_consumer',         '',   'x',  '',   '',   ''),
            -- reminders
            ('lead_reminders',                    'x',  'x',  'x',  '',   ''),
            ('lead_warnings',                     'x',  'x',  'x',  '',   ''),
            ('reminder_deliveries',               'x',  'x',  'x',  '',   ''),
            ('v_lead_reminders',                  'x',  'x',  'x',  '',   ''),
            ('configure_reminders',               '',   'x',  '',   '',   ''),
            ('reminder_waits_since',              '',   'x',  'x',  '',   ''),
            ('report_reminder_delivery',          '',   'x',  '',   '',   'x'),
            ('start_reminder_delivery',           '',   'x',  '',   '',   'x'),
            ('waiting_reminders',                 '',   'x',  'x',  '',   ''),
            ('waiting_warnings',                  '',   'x',  'x',  '',   ''),
            -- adoption
            ('adopted_leads',                     'x',  'x',  'x',  '',   ''),
            ('adopted_users',                     'x',  'x',  'x',  '',   ''),
            ('adopted_tables',                    '',   'x',  'x',  '',   ''),
            ('dismiss_adopted_row',               '',   'x',  '',   '',   ''),
            ('find_adoption_drift',               '',   'x',  'x',  '',   ''),
            ('lead_id_of',                        'x',  'x',  '',   '',   ''),
            ('preview_switch_on',                 '',   'x',  'x',  '',   ''),
            ('queue_adoption_drift',              '',   'x',  '',   '',   ''),
            -- jobs
            ('job_definitions',                   '',   'x',  'x',  'x',  ''),
            ('require_cron_rights_sql',           '',   'x',  '',   'x',  ''),
            ('schedule_jobs',                     '',   'x',  '',   'x',  ''),
            ('schedule_jobs_sql',                 '',   'x',  '',   'x',  ''),
            ('unschedule_jobs',                   '',   'x',  '',   'x',  ''),
            ('unschedule_jobs_sql',               '',   'x',  '',   'x',  ''),
            -- pipeline
            ('lead_expiries',                     'x',  'x',  'x',  '',   ''),
            ('follow_adopted_tables',             '',   'x',  '',   'x',  ''),
            ('is_at_work',                        '',   'x',  'x',  '',   ''),
            ('pause_protection',                  '',   'x',  '',   '',   ''),
            ('raise_job_failure',                 '',   'x',  '',   'x',  ''),
            ('recover_from_clock_ahead',          '',   'x',  '',   '',   ''),
            ('resume_protection',                 '',   'x',  '',   '',   ''),
            ('run_job_step',                      '',   'x',  '',   'x',  ''),
            ('run_nightly_maintenance',           '',   'x',  '',   'x',  ''),
            ('run_protection_pipeline',           '',   'x',  '',   'x',  ''),
            ('start_job_run',                     '',   'x',  '',   'x',  ''),
            ('try_refresh_metrics',               '',   'x',  '',   'x',  ''),
            ('waiting_reason',                    '',   'x',  'x',  '',   ''),
            -- metrics
            ('metric_samples',                    '',   'x',  'x',  '',   ''),
            ('prometheus_metrics',                '',   'x',  'x',  '',   ''),
            ('refresh_metrics',                   '',   'x',  '',   'x',  ''),
            -- health
            ('cron_faults',                       '',   'x',  'x',  'x',  ''),
            ('find_help',                         'x',  'x',  'x',  '',   ''),
            ('health_now',                        '',   'x',  'x',  '',   ''),
            ('help',                              'x',  'x',  'x',  '',   ''),
            ('old_snapshots',                     '',   'x',  'x',  '',   ''),
            -- common
            ('error_codes',                       'x',  'x',  'x',  '',   'x'),
            ('elapsed_text',                      '',   'x',  'x',  '',   ''),
            ('plus_elapsed',                      'x',  'x',  'x',  '',   '')
        ) AS m (object, app, operator, monitor, jobs, consumer)
        CROSS JOIN LATERAL (
            VALUES
            ('lead_protection_app', m.app),
            ('lead_protection_operator', m.operator),
            ('lead_protection_monitor', m.monitor),
            ('lead_protection_jobs', m.jobs),
            ('lead_protection_consumer', m.consumer),
            -- Erases texts, and sees that the proof stays. It is for nobody who enters them.
            (
                'lead_protection_privacy',
                CASE WHEN m.object IN ('erase_texts', 'error_codes', 'lead_log', 'verify_protection_log') THEN 'x' END
            )
        ) AS g (group_role, granted)
        LEFT JOIN pg_catalog.pg_class AS c
            ON c.relnamespace = 'lead_protection'::regnamespace AND c.relname = m.object::name
        LEFT JOIN pg_catalog.pg_proc AS p
            ON p.pronamespace = 'lead_protection'::regnamespace AND p.proname = m.object::name
        WHERE g.granted = 'x' AND g.group_role = any(here)
        GROUP BY m.object, c.oid, p.oid
    LOOP
        EXECUTE 'GRANT ' || entry.rights || ' TO ' || entry.group_roles;
    END LOOP;
END
$grants$;
