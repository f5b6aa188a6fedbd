"""Each group role can do its work, and nothing else; PUBLIC can do nothing."""

import psycopg
import pytest

from helpers.facts import PROTECTED, REMINDER_DUE, insert_lead_of_age

CAN = {
    "app": [
        "SELECT * FROM {}.v_user_lead_protection",
        "SELECT * FROM {}.protection_as_of(now())",
        "SELECT * FROM {}.protect_lead(7, 1, 'key', lead_id => 5)",
        "INSERT INTO {}.leads (id, user_id) VALUES (3, 7)",
        "INSERT INTO {}.leads (id, user_id, created_at, closed_at) VALUES (4, 7, NULL, NULL)",
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1)",
        "SELECT * FROM {}.release_lead_hold(1, 7, 1)",
        "SELECT * FROM {}.correct_lead_hold(1, 2, now() - INTERVAL '1 day', NULL, 'x', 1, dry_run => true)",
        "SELECT * FROM {}.void_lead_hold(1, 2, 'x', 1, dry_run => true)",
        "SELECT * FROM {}.correct_lead_hold(1, 2, now() - INTERVAL '1 day', NULL, 'x', 1)",
        "SELECT * FROM {}.void_lead_hold(1, 3, 'x', 1)",
        "SELECT * FROM {}.hold_leads('hold', 'x', 1, '{1}')",
        "SELECT * FROM {}.v_active_holds, {}.v_kpi_holds, {}.hold_reasons",
        "SELECT * FROM {}.release_leads('release', 1, '{1}')",
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1, dry_run => true)",
        "SELECT * FROM {}.extend_lead(1, 7, 5, 'x', 2, 1, 'key', dry_run => true)",
        "SELECT * FROM {}.extend_lead(1, 7, 5, 'x', 2, 1, 'key')",
        "SELECT * FROM {}.backdate_lead(1, 7, '2026-01-01Z', 'x', 'letter', 1)",
        "SELECT * FROM {}.transfer_lead(1, 7, 8, 'x', 1)",
        "SELECT * FROM {}.transfer_leads('transfer', 8, 'x', 1, '{3}')",
        "SELECT * FROM {}.close_lead(1, 8, 'LOST', 'x', 1)",
        "SELECT * FROM {}.close_leads('close', 'LOST', 'x', 1, '{3}')",
        "SELECT * FROM {}.lead_log(3)",
        "SELECT * FROM {}.reopen_lead(1, 8, 'x', 1)",
        "SELECT * FROM {}.delete_lead(1, 8, 'x', 1)",
        "SELECT * FROM {}.outbox_events",
        "SELECT {}.find_help('reminder')",
    ],
    "operator": [
        "SELECT * FROM {}.v_user_lead_protection",
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1)",
        "SELECT * FROM {}.release_lead_hold(1, 7, 1)",
        "SELECT * FROM {}.correct_lead_hold(1, 2, now() - INTERVAL '1 day', NULL, 'x', 1)",
        "SELECT * FROM {}.override_hold_limit(1, 3, now() + INTERVAL '9 days', 'x', 1)",
        "SELECT * FROM {}.v_active_holds, {}.v_kpi_holds, {}.v_hold_history",
        "SELECT * FROM {}.void_lead_hold(1, 4, 'x', 1)",
        "SELECT * FROM {}.hold_leads('hold', 'x', 1, NULL, 7)",
        "SELECT * FROM {}.release_leads('release', 1, NULL, 7)",
        "SELECT * FROM {}.bulk_hold_requests, {}.bulk_hold_results",
        "SELECT {}.create_policy_version('x', 1, hold_limit_days => 30)",
        "SELECT * FROM {}.move_leads_to_policy('{1}', 1, 'x', 1, dry_run => true)",
        "SELECT * FROM {}.move_leads_to_policy('{1}', 1, 'x', 1)",
        "SELECT * FROM {}.protect_lead(7, 1, 'key', lead_id => 5, policy_id => 1)",
        "SELECT * FROM {}.close_leads('close', 'LOST', 'x', 1, '{1}')",
        "SELECT * FROM {}.void_lead_closing(1, 7, 'x', 1)",
        "CALL {}.run_protection_pipeline()",
        "CALL {}.run_nightly_maintenance()",
        "SELECT {}.configure_reminders()",
        "SELECT {}.pause_protection('x', 1), {}.waiting_reason()",
        "SELECT {}.resume_protection(1)",
        "SELECT * FROM {}.health, {}.health_checks, {}.pause_log, {}.help_operations",
        "SELECT {}.register_event_consumer('x', ARRAY['lead.protection.reminder'], '-infinity')",
        "SELECT {}.acknowledge_events('x', lease_token, ARRAY[id]) FROM {}.claim_events('x')",
        "SELECT {}.replay_events('x', '-infinity')",
        "SELECT {}.fail_events('x', lease_token, ARRAY[id], 'x') FROM {}.claim_events('x')",
        "SELECT {}.discard_dead_events('x', '{}', 'x')",
        "SELECT {}.unregister_event_consumer('x')",
        "SELECT {}.report_reminder_delivery(lead_id, user_id, window_date, 'x', 'delivered') FROM {}.lead_reminders",
        "SELECT * FROM {}.v_event_consumers, {}.v_dead_events, {}.v_cloud_events",
        "SELECT * FROM {}.v_lead_reminders, {}.v_reminder_sla",
        "SELECT * FROM {}.find_clock_drift(), {}.find_adoption_drift(), {}.preview_switch_on()",
        "SELECT * FROM {}.adoptions, {}.adoption_queue, {}.adopted_users, {}.adopted_leads",
        "SELECT * FROM {}.protection_log, {}.job_runs, {}.outbox_events, {}.migration_checksums",
        "SELECT {}.schedule_jobs_sql()",
    ],
    "monitor": [
        "SELECT * FROM {}.v_user_lead_protection",
        "SELECT * FROM {}.job_runs, {}.job_definitions",
        "SELECT * FROM {}.health, {}.health_checks, {}.pause_log",
        "SELECT {}.find_help('reminder'), {}.waiting_reason()",
        "SELECT * FROM {}.v_event_consumers, {}.v_dead_events, {}.v_cloud_events",
        "SELECT * FROM {}.v_lead_reminders, {}.v_reminder_sla",
        "SELECT * FROM {}.v_active_holds, {}.v_kpi_holds, {}.v_hold_history",
        "SELECT * FROM {}.find_clock_drift()",
    ],
    "jobs": [
        "CALL {}.run_protection_pipeline()",
        "CALL {}.run_nightly_maintenance()",
        "SELECT {}.schedule_jobs_sql()",
    ],
    "consumer": [
        "SELECT {}.acknowledge_events('crm', lease_token, ARRAY[id]) FROM {}.claim_events('crm')",
        "SELECT {}.fail_events('crm', gen_random_uuid(), ARRAY[gen_random_uuid()], 'x')",
        "SELECT e.event FROM {}.v_cloud_events AS e, {}.outbox_events, {}.event_types",
    ],
}
CANNOT = {
    "app": [
        "INSERT INTO {}.lead_holds (lead_id, user_id, reason, created_by) VALUES (1, 7, 'x', 1)",
        "UPDATE {}.lead_clocks SET protection_expires_at = now()",
        "DELETE FROM {}.leads",
        "UPDATE {}.leads SET closed_at = now()",
        "INSERT INTO {}.leads (user_id, closed_at) VALUES (7, now())",
        "SELECT {}.move_leads_to_policy('{1}', 1, 'x', 1)",
        "SELECT {}.end_holds(NULL, now(), 1, false)",
        "SELECT {}.override_hold_limit(1, 1, now() + INTERVAL '1 year', 'x', 1)",
        "SELECT {}.void_lead_closing(1, 7, 'x', 1)",
        "SELECT {}.log_new_leads('{1}', now())",
        "SELECT {}.hand_over_leads(NULL, 8, 'x', now(), 1, 'x')",
        "SELECT {}.end_overrun_holds()",
        "SELECT {}.begin_bulk_request('k', jsonb_build_object(), '{1}', NULL, 1)",
        "UPDATE {}.lead_holds SET voided_at = now(), voided_by = 1",
        "INSERT INTO {}.hold_reasons VALUES ('MINE', true, 'x')",
        "INSERT INTO {}.bulk_hold_results SELECT * FROM {}.bulk_hold_results",
        "SELECT * FROM {}.v_hold_history",
        "INSERT INTO {}.outbox_events OVERRIDING SYSTEM VALUE SELECT * FROM {}.outbox_events",
        "SELECT * FROM {}.protection_log",
        "SELECT {}.refresh_lead_clocks('{1}')",
        "CALL {}.adopt_leads('{}.leads', 1)",
        "SELECT {}.follow_adopted_leads(NULL, '{1}', false)",
        "SELECT * FROM {}.run_adopted_sql('SELECT', NULL, NULL, NULL, NULL, NULL)",
        "SELECT {}.record_passed_deadlines('{1}')",
        "SELECT {}.send_due_reminders('{1}', now())",
        "SELECT * FROM {}.claim_events('x')",
        "SELECT {}.report_reminder_delivery(2, 7, '2026-01-01', 'x', 'delivered')",
        "SELECT {}.configure_reminders()",
        "SELECT {}.pause_protection('x', 1)",
        "SELECT {}.resume_protection(1)",
        "CALL {}.run_protection_pipeline()",
        "UPDATE {}.protection_policies SET is_default = false",
    ],
    "operator": [
        "DELETE FROM {}.lead_holds",
        "UPDATE {}.lead_holds SET limit_override_until = '2999-01-01'",
        "UPDATE {}.settings SET paused_at = NULL",
        "DELETE FROM {}.help_operations",
        "SELECT {}.lock_hold(1)",
        "CALL {}.adopt_leads('{}.leads', 1)",
        "CALL {}.switch_on_adoption()",
        "CALL {}.disown_source('x')",
        "SELECT {}.import_holds('{}.leads', 1)",
        "UPDATE {}.lead_clocks SET protection_expires_at = now()",
        "INSERT INTO {}.protection_log (lead_id, user_id, event_type, occurred_at) VALUES (1, 1, 'lead.x', now())",
    ],
    "monitor": [
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1)",
        "SELECT * FROM {}.void_lead_hold(1, 1, 'x', 1)",
        "SELECT * FROM {}.hold_leads('k', 'x', 1, '{1}')",
        "CALL {}.run_protection_pipeline()",
        "DELETE FROM {}.job_runs",
        "SELECT {}.pause_protection('x', 1)",
    ],
    "jobs": [
        "SELECT * FROM {}.leads",
        "SELECT * FROM {}.v_active_holds",
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1)",
        "SELECT {}.override_hold_limit(1, 1, now(), 'x', 1)",
        "INSERT INTO {}.lead_reminders SELECT * FROM {}.lead_reminders",
    ],
    "consumer": [
        "SELECT * FROM {}.v_user_lead_protection",
        "SELECT * FROM {}.leads",
        "SELECT * FROM {}.protection_log",
        "UPDATE {}.event_deliveries SET status = 'acknowledged'",
        "DELETE FROM {}.outbox_events",
        "SELECT {}.register_event_consumer('y')",
        "SELECT {}.unregister_event_consumer('crm')",
        "SELECT {}.replay_events('crm', '-infinity')",
        "SELECT {}.discard_dead_events('crm', '{}', 'x')",
        "SELECT {}.record_delivery_report(2, 7, '2026-01-01', 'x')",
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1)",
        "CALL {}.run_protection_pipeline()",
    ],
    "public": [
        "SELECT * FROM {}.v_user_lead_protection",
        "SELECT {}.plus_elapsed(now(), '1 day')",
        "SELECT * FROM {}.create_lead_hold(1, 7, 'x', 1)",
    ],
}


@pytest.fixture
def act_as(db, connect):
    """Return a function that gives a connection of a group role, or of a role with no rights at all."""
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, REMINDER_DUE)
    db.execute("SELECT lead_protection.register_event_consumer('crm')")

    def act(group: str) -> psycopg.Connection:
        connection = connect()
        role = "pg_signal_backend" if group == "public" else f"lead_protection_{group}"
        connection.execute(f"SET SESSION AUTHORIZATION {role}")
        return connection

    return act


@pytest.mark.parametrize("group", CAN)
def test_can(act_as, group):
    connection = act_as(group)
    for statement in CAN[group]:
        connection.execute(statement.replace("{}.", "lead_protection."))


@pytest.mark.parametrize("group", CANNOT)
def test_cannot(act_as, group):
    connection = act_as(group)
    for statement in CANNOT[group]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.replace("{}.", "lead_protection."))


def test_the_jobs_role_sends(act_as, db):
    act_as("jobs").execute("CALL lead_protection.run_protection_pipeline()")
    assert db.execute("SELECT lead_id FROM lead_protection.lead_reminders").fetchall() == [(2,)]


@pytest.mark.parametrize("group", ["jobs", "operator"])
def test_who_runs_the_jobs_follows_adopted_tables(act_as, db, group):
    """It may see neither which tables those are, nor the tables."""
    connection = act_as(group)
    connection.execute("CALL lead_protection.follow_adopted_tables()")
    assert db.execute("SELECT count(*) FROM lead_protection.job_runs").fetchone() == (0,), "nothing is adopted"

    db.execute("CREATE TABLE public.crm_leads (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz)")
    db.execute("GRANT SELECT ON public.crm_leads TO lead_protection_reader")
    db.execute("CALL lead_protection.adopt_leads('public.crm_leads', 900)")
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("INSERT INTO public.crm_leads VALUES (9001, 7, now())")
    connection.execute("CALL lead_protection.follow_adopted_tables()")
    assert db.execute("SELECT user_id FROM lead_protection.leads WHERE id = 9001").fetchall() == [(7,)]


def may_execute(db, role: str) -> set[str]:
    """The routines of ours that a role may call, by name."""
    rows = db.execute(
        "SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'lead_protection'::regnamespace"
        " AND has_function_privilege(%s, p.oid, 'EXECUTE')",
        (role,),
    )
    return {name for (name,) in rows}


def test_the_jobs_role_may_call_the_jobs_what_they_call_and_the_schedule_and_nothing_else(db):
    jobs = {"run_protection_pipeline", "run_nightly_maintenance", "follow_adopted_tables"}
    inside = {"start_job_run", "run_job_step", "try_refresh_metrics", "raise_job_failure"}
    schedule = {"schedule_jobs", "schedule_jobs_sql", "unschedule_jobs", "unschedule_jobs_sql"}
    schedule |= {"require_cron_rights_sql", "cron_faults"}
    assert may_execute(db, "lead_protection_jobs") == jobs | inside | {"refresh_metrics"} | schedule
    readable = db.execute(
        "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'lead_protection'::regnamespace"
        " AND c.relkind IN ('r', 'v') AND has_any_column_privilege('lead_protection_jobs', c.oid, 'SELECT')"
    ).fetchall()
    assert readable == [("job_definitions",)]


@pytest.mark.parametrize("group", ["app", "operator", "monitor", "jobs", "consumer"])
def test_the_steps_of_the_jobs_that_check_no_argument_are_for_nobody(db, group):
    """What they send or delete cannot be taken back: the jobs check as_of, batch_size and keep for them."""
    steps = {
        "start_drill",
        "run_protection_drill",
        "record_reactivations",
        "record_expiries",
        "reminders_to_send",
        "send_due_reminders",
        "purge_events",
    }
    assert may_execute(db, f"lead_protection_{group}") & steps == set()
