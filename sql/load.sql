-- Loads the code: every view, function, procedure and trigger, subject by subject, in an order in which each finds what
-- it needs. Run again on every apply, in one transaction. By hand: psql -1 -v ON_ERROR_STOP=1 -f sql/load.sql
\ir search_path.sql

-- common: what all subjects use
\ir functions/common/plus_elapsed.sql
\ir functions/common/exceeds_clock_skew.sql
\ir functions/common/instant_text.sql
\ir functions/common/refuse_change.sql
\ir functions/common/freeze_columns_except.sql
\ir functions/common/require_arguments.sql
\ir functions/common/require_reason.sql
\ir functions/common/require_instant.sql
\ir functions/common/local_text.sql
\ir functions/common/elapsed_text.sql
\ir functions/common/retry_pause.sql
\ir functions/common/calling_role.sql

-- texts: sentences as data, and in the words of a language
\ir views/statement/statement_texts.sql
\ir functions/common/words_of.sql
\ir functions/common/length_text.sql
\ir functions/common/value_text.sql
\ir functions/common/sentence.sql
\ir functions/common/sentence_text.sql

-- calendars: which days are working days
\ir functions/calendars/easter_sunday.sql
\ir views/calendars/shipped_calendars.sql
\ir views/calendars/holiday_rules.sql
\ir functions/calendars/shipped_calendar_days.sql
\ir functions/calendars/refuse_late_days.sql
\ir functions/calendars/put_calendar_version.sql
\ir functions/calendars/ship_calendars.sql
\ir functions/calendars/is_working_day.sql
\ir functions/calendars/nearest_working_day.sql
\ir functions/calendars/next_working_day.sql
\ir functions/calendars/previous_working_day.sql
\ir functions/calendars/require_known_calendar.sql
\ir functions/calendars/calendar_days_given.sql
\ir functions/calendars/create_calendar_version.sql
\ir views/calendars/v_calendar_days.sql

-- log: a chain of hashes for each lead
\ir functions/log/written_instant.sql
\ir functions/log/written_json.sql
\ir functions/log/written_value.sql
\ir functions/log/log_texts_hash.sql
\ir functions/log/log_row_digest.sql
\ir functions/log/log_row_hash.sql
\ir functions/log/next_log_row_hash.sql
\ir functions/log/log_chain.sql
\ir functions/log/chain_old_rows.sql
\ir functions/log/chain_log_row.sql
\ir functions/log/log_entry.sql
\ir functions/log/write_log.sql
\ir functions/log/guard_log_row.sql

-- rule: the one place of the arithmetic
\ir functions/rule/calendar_expiry.sql
\ir functions/rule/protection_end.sql
\ir functions/rule/stop_clock.sql
\ir functions/rule/rule_expiry.sql
\ir functions/rule/noticed_expiry.sql
\ir functions/rule/notice_received_at.sql
\ir functions/rule/hold_stops.sql
\ir functions/rule/reminder_window.sql
\ir functions/rule/running_clock.sql
\ir functions/rule/derive_lead_clocks.sql
\ir functions/rule/protection_state.sql
\ir functions/rule/recounted_expiry.sql
\ir functions/rule/is_on_hold.sql
\ir functions/rule/is_plainly_held.sql
\ir functions/rule/waits_for_notice.sql
\ir functions/rule/awaited_expiry.sql
\ir functions/rule/pushed_expiry.sql
\ir functions/rule/clock_at.sql
\ir functions/rule/stopped_time_left.sql
\ir functions/rule/time_left.sql

-- cache: lead_clocks, kept equal to the rule, and the main view
\ir functions/cache/user_lead_protection.sql
\ir views/v_user_lead_protection.sql
\ir functions/cache/refresh_lead_clocks.sql
\ir functions/cache/refresh_held_clocks.sql
\ir functions/cache/refresh_clocks_of_changed_facts.sql
\ir functions/cache/find_clock_drift.sql
\ir functions/cache/mend_clock_drift.sql

-- policies: the terms
\ir functions/policies/policy_of_user.sql
\ir functions/policies/limits_count_from.sql
\ir functions/policies/require_known_policy.sql
\ir functions/policies/refuse_late_warnings.sql
\ir functions/policies/warnings_given.sql
\ir functions/policies/create_policy_version.sql
\ir functions/policies/set_default_policy.sql
\ir functions/policies/assign_user_policy.sql
\ir functions/policies/move_leads_to_policy.sql

-- leads: a lead from its start to its end
\ir functions/leads/lock_leads.sql
\ir functions/pipeline/lock_free_leads.sql
\ir functions/leads/check_lead.sql
\ir functions/leads/refuse_closed_lead.sql
\ir functions/leads/read_lead.sql
\ir functions/leads/read_leads.sql
\ir functions/leads/missed_reminder_due_at.sql
\ir functions/leads/log_new_leads.sql
\ir functions/leads/record_lead_changes.sql
\ir functions/leads/require_lead.sql
\ir functions/leads/require_open_lead.sql
\ir functions/leads/require_nobodys_lead.sql
\ir functions/leads/lead_change.sql
\ir functions/leads/log_lead_change.sql
\ir functions/leads/log_lead_changes.sql
\ir functions/leads/protect_lead.sql
\ir functions/leads/hand_over_leads.sql
\ir functions/leads/transfer_lead.sql
\ir functions/leads/give_back_lead.sql
\ir functions/leads/extend_lead.sql
\ir functions/leads/backdate_lead.sql
\ir functions/leads/require_outcome.sql
\ir functions/leads/close_leads_as.sql
\ir functions/leads/close_lead.sql
\ir functions/leads/reopen_lead.sql
\ir functions/leads/delete_lead.sql

-- activities: what users did for leads
\ir functions/activities/check_activity.sql
\ir functions/activities/is_instant_of_activity.sql
\ir functions/activities/require_known_kind.sql
\ir functions/activities/require_known_activity.sql
\ir functions/activities/record_lead_activity.sql
\ir functions/activities/correct_lead_activity.sql
\ir functions/activities/delete_lead_activity.sql

-- holds: stops of the clock
\ir functions/holds/hold_details.sql
\ir functions/holds/end_holds.sql
\ir functions/holds/hold_limit.sql
\ir functions/holds/hold_limit_at.sql
\ir functions/holds/require_hold_within_limit.sql
\ir functions/holds/require_hold_span.sql
\ir functions/holds/catalogued_reason.sql
\ir functions/holds/hold_reason_code.sql
\ir functions/holds/count_hold_version.sql
\ir functions/holds/lock_hold.sql
\ir functions/holds/require_valid_hold.sql
\ir functions/holds/create_lead_hold.sql
\ir functions/holds/release_lead_hold.sql
\ir functions/holds/correct_lead_hold.sql
\ir functions/holds/void_lead_hold.sql
\ir functions/holds/override_hold_limit.sql
\ir functions/holds/begin_bulk_request.sql
\ir functions/holds/bulk_answers.sql
\ir functions/holds/hold_leads.sql
\ir functions/holds/release_leads.sql
\ir functions/holds/purge_bulk_requests.sql
\ir functions/leads/transfer_leads.sql
\ir functions/leads/close_leads.sql
\ir functions/leads/void_lead_closing.sql
\ir views/holds/v_active_holds.sql
\ir views/holds/v_hold_history.sql
\ir functions/holds/end_overrun_holds.sql
\ir functions/holds/announce_hold_limits.sql

-- explain: how a date comes about, and what is to come
\ir functions/explain/is_sensible_instant.sql
\ir functions/explain/protection_as_of.sql
\ir functions/explain/explain_calendar.sql
\ir functions/explain/explain_holds.sql
\ir functions/explain/start_entry.sql
\ir functions/explain/closing_entry.sql
\ir functions/explain/explain_steps.sql
\ir functions/explain/explain_protection.sql
\ir functions/explain/explain_protection_json.sql
\ir functions/explain/forecast_protection.sql

-- events: the outbox and its consumers
\ir functions/events/event_payload.sql
\ir functions/events/publish_log_rows.sql
\ir views/events/event_types.sql
\ir functions/leads/lead_log.sql
\ir functions/log/chain_next_rows.sql
\ir functions/log/verify_protection_log.sql
\ir functions/log/erase_texts_of.sql
\ir functions/log/erase_texts.sql
\ir functions/log/leads_with_old_texts.sql
\ir functions/log/erase_old_texts.sql
\ir views/events/v_cloud_events.sql
\ir functions/events/require_event_consumer.sql
\ir functions/events/require_event_types.sql
\ir functions/events/lock_event_writers.sql
\ir functions/events/register_event_consumer.sql
\ir functions/events/unregister_event_consumer.sql
\ir functions/events/claim_events.sql
\ir functions/events/lock_event_deliveries.sql
\ir functions/events/acknowledge_events.sql
\ir functions/events/fail_events.sql
\ir functions/events/replay_events.sql
\ir functions/events/discard_dead_events.sql
\ir views/events/v_event_consumers.sql
\ir views/events/v_dead_events.sql
\ir functions/events/publish_missing_events.sql
\ir functions/events/purge_events.sql

-- seals: the Merkle tree over the log
\ir functions/seals/merkle_block.sql
\ir functions/seals/tree_hashes.sql
\ir functions/seals/leaf_path.sql
\ir functions/seals/seal_checkpoint.sql
\ir functions/seals/seal_protection_log.sql
\ir functions/seals/seal_over_lead.sql
\ir functions/seals/exported_facts.sql
\ir functions/seals/exported_terms.sql
\ir functions/seals/exported_lead.sql
\ir functions/seals/export_log.sql

-- nodes: leads that move from one node to another
\ir functions/nodes/lead_tables.sql
\ir functions/nodes/packed_leads.sql
\ir functions/nodes/log_ends.sql
\ir functions/nodes/require_leads_here.sql
\ir functions/nodes/require_new_leads_here.sql
\ir functions/nodes/is_arriving.sql
\ir functions/nodes/has_departed.sql
\ir functions/nodes/depart_leads.sql
\ir functions/nodes/arrive_leads.sql
\ir functions/nodes/confirm_departures.sql
\ir functions/nodes/depart_slots.sql
\ir functions/nodes/arrive_slots.sql

-- reminders: sent, delivered, on time
\ir functions/reminders/configure_reminders.sql
\ir functions/reminders/reminder_waits_since.sql
\ir functions/reminders/waiting_reminders.sql
\ir functions/reminders/waiting_warnings.sql
\ir functions/reminders/reminders_to_send.sql
\ir functions/reminders/send_due_reminders.sql
\ir functions/reminders/send_due_warnings.sql
\ir functions/reminders/reminder_obstacle.sql
\ir functions/reminders/record_delivery_report.sql
\ir functions/reminders/report_reminder_delivery.sql
\ir functions/reminders/start_reminder_delivery.sql
\ir views/reminders/v_lead_reminders.sql
\ir views/reminders/v_reminder_sla.sql

-- statement: pages to be handed over
\ir functions/statement/printable.sql
\ir functions/statement/html_text.sql
\ir functions/statement/statement_text.sql
\ir functions/statement/require_statement_form.sql
\ir functions/statement/page_markdown.sql
\ir functions/statement/page_html.sql
\ir functions/statement/page.sql
\ir functions/statement/table_block.sql
\ir functions/statement/svg_text.sql
\ir functions/statement/svg_box.sql
\ir functions/statement/reason_text.sql
\ir functions/statement/entered_text.sql
\ir functions/statement/shown_text.sql
\ir functions/statement/shown_otherwise.sql
\ir functions/statement/statement_facts.sql
\ir functions/statement/statement_figure.sql
\ir functions/statement/statement_blocks.sql
\ir functions/statement/protection_statement.sql
\ir functions/statement/user_leads.sql
\ir functions/statement/statement_of_user.sql

-- adoption: the company's own tables
\ir functions/adoption/read/column_type.sql
\ir functions/adoption/check/hides_rows.sql
\ir functions/adoption/check/check_table.sql
\ir functions/adoption/check/check_rights.sql
\ir functions/adoption/check/check_sql.sql
\ir functions/adoption/check/check_column.sql
\ir functions/adoption/check/source_arguments.sql
\ir functions/adoption/check/guess_mapping.sql
\ir functions/adoption/check/adopting_call.sql
\ir functions/adoption/check/check_source.sql
\ir functions/adoption/read/column_sql.sql
\ir functions/adoption/read/same_key_sql.sql
\ir functions/adoption/read/instant_sql.sql
\ir functions/adoption/read/adopted_rows_sql.sql
\ir functions/adoption/read/people_sql.sql
\ir functions/adoption/read/run_adopted_sql.sql
\ir functions/adoption/read/adopted_reader.sql
\ir functions/adoption/read/let_reader_read.sql
\ir functions/adoption/read/read_adopted_rows.sql
\ir functions/adoption/read/adopted_user_id.sql
\ir functions/adoption/first_number_of_ours.sql
\ir functions/adoption/follow/noting_sql.sql
\ir functions/adoption/follow/follow_adopted_source.sql
\ir functions/adoption/follow/make_note_taker.sql
\ir functions/adoption/follow/adopted_tables.sql
\ir functions/adoption/follow/active_adoption.sql
\ir functions/adoption/table_named.sql
\ir functions/adoption/adoption_named.sql
\ir views/adoption/adoption_note_rows.sql
\ir functions/adoption/follow/waiting_news.sql
\ir functions/adoption/follow/spread_adoption_notes.sql
\ir functions/adoption/follow/require_readable_source.sql
\ir functions/adoption/follow/require_adopted_instant.sql
\ir functions/adoption/follow/require_adopted_user.sql
\ir functions/adoption/follow/number_adopted_users.sql
\ir functions/adoption/follow/newest_policy.sql
\ir functions/adoption/follow/known_leads.sql
\ir functions/adoption/follow/lead_ids_of.sql
\ir functions/adoption/check/require_adoptable_source.sql
\ir functions/adoption/adopted_lead_status.sql
\ir functions/adoption/record_passed_deadlines.sql
\ir functions/adoption/record_next_passed_deadlines.sql
\ir functions/adoption/record_all_passed_deadlines.sql
\ir functions/adoption/follow/read_leads_at.sql
\ir functions/adoption/follow/plan_lead_steps.sql
\ir functions/adoption/follow/change_leads_by_steps.sql
\ir functions/adoption/follow/log_lead_steps.sql
\ir functions/adoption/follow/take_lead_steps.sql
\ir functions/adoption/follow/claim_leads.sql
\ir functions/adoption/follow/take_new_leads.sql
\ir functions/adoption/follow/remember_adopted_leads.sql
\ir functions/adoption/follow/name_nobody.sql
\ir functions/adoption/follow/follow_adopted_leads.sql
\ir functions/adoption/follow/adopted_activity_key.sql
\ir functions/adoption/follow/log_activity_changes.sql
\ir functions/adoption/follow/follow_adopted_activities.sql
\ir functions/adoption/follow/follow_adopted_hold.sql
\ir functions/adoption/follow/follow_adopted_holds.sql
\ir functions/adoption/follow/drift_of_leads.sql
\ir functions/adoption/follow/drift_of_activities.sql
\ir functions/adoption/follow/drift_of_holds.sql
\ir functions/adoption/follow/find_adoption_drift.sql
\ir functions/adoption/follow/queue_adoption_drift.sql
\ir functions/adoption/follow/follow_adopted_rows.sql
\ir functions/adoption/follow/try_follow_rows.sql
\ir functions/adoption/follow/lock_adopted_leads.sql
\ir functions/adoption/follow/follow_adoption_queue.sql
\ir functions/adoption/follow/waiting_rows.sql
\ir functions/adoption/follow/follow_leads_first.sql
\ir functions/adoption/lead_id_of.sql
\ir functions/adoption/dismiss_adopted_row.sql
\ir functions/adoption/put_adoption.sql
\ir functions/adoption/record_adoption.sql
\ir functions/adoption/try_change_triggers.sql
\ir functions/adoption/change_adoption_triggers.sql
\ir functions/adoption/backfill_adopted_rows.sql
\ir functions/adoption/backfill_adoption.sql
\ir functions/adoption/adopt_leads.sql
\ir functions/adoption/adopt_activities.sql
\ir functions/adoption/adopt_holds.sql
\ir functions/adoption/adoptions_to_disown.sql
\ir functions/adoption/left_triggers.sql
\ir functions/adoption/disown_source.sql
\ir functions/adoption/import/leads_of_import.sql
\ir functions/adoption/import/import_holds.sql
\ir functions/adoption/import/import_reminders.sql
\ir functions/adoption/preview_switch_on.sql
\ir functions/adoption/require_adoption_to_switch_on.sql
\ir functions/adoption/mark_adoptions_switched_on.sql
\ir functions/adoption/switch_on_adoption.sql

-- jobs: the schedule
\ir jobs/job_definitions.sql
\ir jobs/require_cron_rights_sql.sql
\ir jobs/schedule_jobs_sql.sql
\ir jobs/unschedule_jobs_sql.sql
\ir functions/health/cron_faults.sql
\ir functions/health/old_snapshots.sql
\ir jobs/schedule_jobs.sql
\ir jobs/unschedule_jobs.sql
\ir jobs/tell_about_pg_cron.sql

-- pipeline: the jobs and what they record
\ir functions/pipeline/record_expiries_of.sql
\ir functions/pipeline/require_job_arguments.sql
\ir functions/pipeline/record_expiries.sql
\ir functions/pipeline/is_reactivated.sql
\ir functions/pipeline/end_waits_ahead.sql
\ir functions/pipeline/take_back_ahead.sql
\ir functions/pipeline/record_reactivations.sql
\ir functions/pipeline/recover_from_clock_ahead.sql
\ir functions/pipeline/waiting_reason.sql
\ir functions/pipeline/pause_protection.sql
\ir functions/pipeline/resume_protection.sql
\ir functions/pipeline/count_passed_over.sql
\ir functions/pipeline/is_at_work.sql
\ir functions/pipeline/start_job_run.sql
\ir functions/pipeline/start_drill.sql
\ir functions/pipeline/run_job_step.sql
\ir functions/pipeline/raise_job_failure.sql
\ir functions/pipeline/try_refresh_metrics.sql
\ir functions/pipeline/run_protection_pipeline.sql
\ir functions/pipeline/run_protection_drill.sql
\ir functions/pipeline/run_nightly_maintenance.sql
\ir functions/pipeline/follow_adopted_tables.sql

-- metrics: what Prometheus is told
\ir views/metrics/metric_buckets.sql
\ir functions/metrics/count_metric.sql
\ir functions/metrics/observe_seconds.sql
\ir functions/metrics/count_job_run.sql
\ir views/metrics/v_kpi_adoption.sql
\ir functions/metrics/refresh_metrics.sql
\ir views/metrics/v_metric_counters.sql
\ir views/metrics/v_kpi_states.sql
\ir views/metrics/v_kpi_users.sql
\ir views/metrics/v_kpi_reminders.sql
\ir views/metrics/v_kpi_holds.sql
\ir views/metrics/v_kpi_jobs.sql
\ir views/health/v_passed_over_leads.sql
\ir views/metrics/nightly_proofs.sql
\ir views/metrics/v_kpi_clock_drift.sql
\ir views/metrics/v_kpi_seals.sql
\ir views/health/v_default_policy_change.sql
\ir views/metrics/metric_definitions.sql
\ir views/metrics/metric_rows.sql
\ir functions/metrics/metric_samples.sql
\ir views/metrics/v_metrics.sql
\ir functions/metrics/prometheus_metrics.sql

-- health: what is wrong, and what to do
\ir views/health/health_checks.sql
\ir functions/health/health_now.sql
\ir views/health/health.sql
\ir functions/health/find_help.sql
\ir functions/health/help.sql
\ir views/common/error_codes.sql

-- report: the page for people
\ir functions/statement/bar_figure.sql
\ir functions/statement/protection_report.sql

-- nodes: what a router asks of each
\ir functions/nodes/number_node.sql
\ir functions/nodes/terms_of_node.sql
\ir functions/nodes/take_terms_of_node.sql
\ir functions/nodes/catalog_of_node.sql

-- last: counts that start with the triggers, the days of the calendars, what former versions left, the rights, and the
-- adopted tables that are there
\ir first_counts.sql
\ir first_chain.sql
\ir shipped_calendars.sql
\ir obsolete.sql
\ir grants.sql
\ir reader.sql
\ir note_takers.sql
