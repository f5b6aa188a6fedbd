"""The facts refuse bad rows, each by a named rule, and stay what they were."""

import psycopg
import pytest

from helpers.facts import PROTECTED, insert_holds, insert_lead_of_age

REFUSED = [
    ("LP010", "INSERT INTO {}.leads (id, user_id, created_at) VALUES (2, 7, now() + INTERVAL '1 hour')"),
    ("LP010", "UPDATE {}.leads SET created_at = now() + INTERVAL '1 hour'"),
    ("LP010", "UPDATE {}.leads SET closed_at = now() + INTERVAL '1 hour'"),
    ("LP005", "INSERT INTO {}.leads (id, user_id, created_at) VALUES (2, 7, 'infinity')"),
    ("leads_created_at_sensible", "INSERT INTO {}.leads (id, user_id, created_at) VALUES (2, 7, '-infinity')"),
    ("leads_closed_after_created", "UPDATE {}.leads SET closed_at = created_at - INTERVAL '1 second'"),
    ("lead_clocks_all_or_nobody", "UPDATE {}.lead_clocks SET user_id = NULL"),
    ("lead_clocks_nobody_on_hold", "UPDATE {}.lead_clocks SET user_id = NULL, base_expires_at = NULL, "
     "protection_expires_at = NULL, window_date = NULL, reminder_due_at = NULL"),
    ("leads_policy_id_fkey", "UPDATE {}.leads SET policy_id = 99"),
    ("LP017", "UPDATE {}.protection_policies SET is_default = false; INSERT INTO {}.leads (user_id) VALUES (7)"),
    ("LP011", "UPDATE {}.protection_policies SET grace_days = 11"),
    ("protection_policies_base_months_sensible", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 0, 60, 10, 'UTC', '08:00')"),
    ("protection_policies_extension_days_sensible", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, -1, 10, 'UTC', '08:00')"),
    ("protection_policies_grace_days_sensible", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 0, 'UTC', '08:00')"),
    ("protection_policies_rule_known", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'best', 6, 60, 10, 'UTC', '08:00')"),
    ("protection_policies_time_zone_named", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 10, 'CET-1', '08:00')"),
    ("protection_policies_time_zone_named", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 10, 'Europe/Berlin+1', '08:00')"),
    ("22023", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 10, 'Europe/Atlantis', '08:00')"),
    ("protection_policies_reminder_time_on_the_day", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 10, 'UTC', '24:00')"),
    ("protection_policies_one_default", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', true, 'sequential', 6, 60, 10, 'UTC', '08:00')"),
    ("lead_holds_reason_not_blank", "UPDATE {}.lead_holds SET reason = E' \\t'"),
    ("lead_holds_end_not_before_start", "UPDATE {}.lead_holds SET end_at = start_at - INTERVAL '1 second'"),
    ("lead_holds_end_at_sensible", "UPDATE {}.lead_holds SET end_at = 'infinity'"),
    ("lead_holds_start_at_sensible", "UPDATE {}.lead_holds SET start_at = '-infinity'"),
    ("lead_holds_released_has_ended", "UPDATE {}.lead_holds SET released_by = 1"),
    ("lead_holds_one_open", "INSERT INTO {}.lead_holds (lead_id, user_id, reason, created_by) VALUES (1, 7, 'x', 1)"),
    ("lead_holds_lead_id_fkey", "UPDATE {}.lead_holds SET lead_id = 2"),
    ("LP012", "DELETE FROM {}.leads"),
    ("leads_closed_as_known", "UPDATE {}.leads SET closed_at = now(), closed_as = 'GONE'"),
    ("lead_history_lead_id_fkey", "INSERT INTO {}.lead_history VALUES (99, now(), 7, 1, now())"),
    ("lead_history_valid_until_finite", "INSERT INTO {}.lead_history VALUES (1, 'infinity', 7, 1, now())"),
    ("LP012", "INSERT INTO {}.lead_history VALUES (1, now(), 7, 1, now()); DELETE FROM {}.lead_history"),
    ("LP012", "UPDATE {}.lead_history SET user_id = 99"),
    ("LP012", "TRUNCATE {}.lead_history"),
    ("lead_extensions_days_sensible", "INSERT INTO {}.lead_extensions "
     "(lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key) "
     "VALUES (1, 7, 0, 'x', 1, 1, now(), 'k')"),
    ("lead_extensions_request_key_sensible", "INSERT INTO {}.lead_extensions "
     "(lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key) "
     "VALUES (1, 7, 1, 'x', 1, 1, now(), ' ')"),
    ("LP012", "UPDATE {}.lead_extensions SET days = 1"),
    ("LP012", "INSERT INTO {}.lead_extensions "
     "(lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key) "
     "VALUES (1, 7, 1, 'x', 1, 1, now(), 'k'); DELETE FROM {}.lead_extensions"),
    ("LP012", "TRUNCATE {}.lead_extensions"),
    ("LP012", "TRUNCATE {}.lead_activities"),
    ("LP012", "UPDATE {}.policy_assignments SET user_id = 1"),
    ("LP012", "DELETE FROM {}.policy_assignments"),
    ("policy_assignments_default_is_a_policy", "INSERT INTO {}.policy_assignments (assigned_by) VALUES (1)"),
    ("protection_policies_version_unique", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'standard', false, 'sequential', 6, 60, 10, 'UTC', '08:00')"),
    ("protection_policies_version_positive", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 10, 'UTC', '08:00', now(), 0)"),
    ("protection_policies_extension_limit_sensible", "INSERT INTO {}.protection_policies VALUES "
     "(9, 'x', false, 'sequential', 6, 60, 10, 'UTC', '08:00', now(), 1, false, -1)"),
    ("LP011", "UPDATE {}.protection_policies SET hold_limit_days = 30"),
    ("LP011", "UPDATE {}.protection_policies SET hold_total_limit_days = 30"),
    ("protection_policies_hold_limit_sensible", "INSERT INTO {}.protection_policies "
     "(name, rule, base_months, extension_days, grace_days, time_zone, reminder_time, hold_limit_days) "
     "VALUES ('x', 'sequential', 6, 60, 10, 'UTC', '08:00', 0)"),
    ("protection_policies_hold_total_limit_sensible", "INSERT INTO {}.protection_policies "
     "(name, rule, base_months, extension_days, grace_days, time_zone, reminder_time, hold_total_limit_days) "
     "VALUES ('x', 'sequential', 6, 60, 10, 'UTC', '08:00', 36501)"),
    ("hold_reasons_pkey", "INSERT INTO {}.hold_reasons VALUES ('OTHER', true, 'x')"),
    ("hold_reasons_code_in_capitals", "INSERT INTO {}.hold_reasons VALUES ('Other', true, 'x')"),
    ("hold_reasons_description_not_blank", "INSERT INTO {}.hold_reasons VALUES ('X', true, E' \\n')"),
    ("lead_holds_reason_code_fkey", "UPDATE {}.lead_holds SET reason_code = 'NONE'"),
    ("lead_holds_reason_code_fkey", "DELETE FROM {}.hold_reasons WHERE code = 'OTHER'"),
    ("lead_holds_limit_override_finite", "UPDATE {}.lead_holds SET limit_override_until = 'infinity'"),
    ("lead_holds_overrun_has_ended", "UPDATE {}.lead_holds SET overrun_at = now()"),
    ("lead_holds_voided_by_somebody", "UPDATE {}.lead_holds SET voided_at = now()"),
    ("lead_holds_voided_by_somebody", "UPDATE {}.lead_holds SET voided_by = 1"),
    ("lead_holds_one_planned", "INSERT INTO {}.lead_holds "
     "(lead_id, user_id, reason, start_at, end_at, created_by) "
     "SELECT 1, 7, 'x', '2026-01-01Z', '2026-01-02Z', 1 FROM generate_series(1, 2)"),
    ("bulk_hold_requests_pkey", "INSERT INTO {}.bulk_hold_requests "
     "SELECT 'k', jsonb_build_object() FROM generate_series(1, 2)"),
    ("bulk_hold_requests_request_key_sensible", "INSERT INTO {}.bulk_hold_requests VALUES (' ', jsonb_build_object())"),
    ("bulk_hold_requests_asked_object", "INSERT INTO {}.bulk_hold_requests VALUES ('k', '[]')"),
    ("bulk_hold_results_pkey", "INSERT INTO {}.bulk_hold_results "
     "SELECT 'k', 1, 7, 'hold', 'done', NULL, NULL, 1, now(), 1 FROM generate_series(1, 2)"),
    ("bulk_hold_results_request_key_sensible", "INSERT INTO {}.bulk_hold_results "
     "VALUES (repeat('k', 256), 1, 7, 'hold', 'done', NULL, NULL, 1, now(), 1)"),
    ("bulk_hold_results_action_known", "INSERT INTO {}.bulk_hold_results "
     "VALUES ('k', 1, 7, 'stop', 'done', NULL, NULL, 1, now(), 1)"),
    ("bulk_hold_results_outcome_known", "INSERT INTO {}.bulk_hold_results "
     "VALUES ('k', 1, 7, 'hold', 'perhaps', NULL, NULL, 1, now(), 1)"),
    ("bulk_hold_results_refused_says_why", "INSERT INTO {}.bulk_hold_results "
     "VALUES ('k', 1, 7, 'hold', 'refused', 'LP008', NULL, 1, now(), 1)"),
    ("bulk_hold_results_decided_at_finite", "INSERT INTO {}.bulk_hold_results "
     "VALUES ('k', 1, 7, 'hold', 'done', NULL, NULL, 1, 'infinity', 1)"),
    ("lead_reminders_sent_when_due", "INSERT INTO {}.lead_reminders VALUES "
     "(1, 7, '2025-01-01', '2025-01-02', '2025-01-01', '2024-12-31')"),
    ("lead_reminders_sent_before_expiry", "INSERT INTO {}.lead_reminders VALUES "
     "(1, 7, '2025-01-01', '2025-01-02', '2025-01-01', '2025-01-02')"),
    ("lead_expiries_recorded_when_reached", "INSERT INTO {}.lead_expiries "
     "(lead_id, user_id, protection_expires_at, recorded_at) VALUES (1, 7, '2025-01-02', '2025-01-01')"),
    ("job_runs_error_when_failed", "INSERT INTO {}.job_runs (job_name, outcome, finished_at) "
     "VALUES ('x', 'failed', now() + INTERVAL '1 hour')"),
    ("LP012", "TRUNCATE {}.lead_holds CASCADE"),
    ("LP012", "TRUNCATE {}.leads CASCADE"),
    ("LP012", "INSERT INTO {}.protection_log (lead_id, user_id, event_type, occurred_at) "
     "VALUES (1, 7, 'lead.closed', now()); UPDATE {}.protection_log SET reason = 'x'"),
    ("LP012", "INSERT INTO {}.protection_log (lead_id, user_id, event_type, occurred_at) "
     "VALUES (1, 7, 'lead.closed', now()); DELETE FROM {}.protection_log"),
    ("LP012", "TRUNCATE {}.protection_log"),
    ("LP012", "UPDATE {}.outbox_events SET type = 'lead.x'"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "statement"), REFUSED, ids=lambda value: value if " " not in value else "")
def test_refused(db, rule, statement):
    """`rule` is the name of a constraint or index, or an SQLSTATE."""
    insert_lead_of_age(db, 1, PROTECTED)
    insert_holds(db, 1, [("2026-01-01Z", None)])
    with pytest.raises(psycopg.Error) as refused, db.transaction():
        db.execute(statement.replace("{}", "lead_protection"))
    assert rule in (refused.value.diag.constraint_name, refused.value.sqlstate)
    if rule.startswith("LP"):
        assert refused.value.diag.message_detail and refused.value.diag.message_hint
    assert db.execute("SELECT id, user_id FROM lead_protection.leads").fetchall() == [(1, 7)]


def test_a_new_lead_gets_the_default_policy_of_the_moment(db):
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute(
        "UPDATE lead_protection.protection_policies SET is_default = false;"
        "INSERT INTO lead_protection.protection_policies VALUES"
        " (9, 'short', true, 'sequential', 3, 30, 5, 'UTC', '09:00')"
    )
    insert_lead_of_age(db, 2, PROTECTED)
    policies = db.execute("SELECT lead_id, policy_id FROM lead_protection.lead_clocks ORDER BY 1").fetchall()
    assert policies == [(1, 1), (2, 9)]


def test_a_closing_a_moment_ahead_is_now(db):
    """Nothing may happen to the lead between now and a closing that a fast clock dates ahead."""
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("UPDATE lead_protection.leads SET closed_at = now() + INTERVAL '4 minutes'")
    closed_at, state = db.execute(
        "SELECT closed_at <= clock_timestamp(), state FROM lead_protection.v_user_lead_protection"
    ).fetchone()
    assert (closed_at, state) == (True, "CLOSED")
    assert db.execute("SELECT closed_at FROM lead_protection.leads").fetchone()[0] is not None


def test_an_open_lead_stays_open(db):
    insert_lead_of_age(db, 1, PROTECTED)
    assert db.execute("SELECT closed_at FROM lead_protection.leads").fetchone() == (None,)


def test_a_start_a_moment_ahead_is_now(db):
    """Taken for a fast clock. What happens to the lead next must not lie before its start."""
    db.execute("INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (1, 7, now() + INTERVAL '1 minute')")
    started = db.execute("SELECT created_at <= clock_timestamp() FROM lead_protection.leads").fetchone()
    assert started == (True,)
    closed = "SELECT state_after FROM lead_protection.close_lead(1, 7, 'LOST', 'x', 1)"
    assert db.execute(closed).fetchone() == ("CLOSED",)


def test_another_outcome_by_hand_is_logged(db):
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("SELECT lead_protection.delete_lead(1, 7, 'x', 1)")
    db.execute("UPDATE lead_protection.leads SET closed_as = 'LOST'")
    logged = "SELECT details ->> 'outcome_before', details ->> 'outcome' FROM lead_protection.protection_log"
    logged += " WHERE event_type = 'lead.changed'"
    assert db.execute(logged).fetchall() == [("DELETED", "LOST")]


def test_before_it_began_a_lead_was_not_protected(db):
    insert_lead_of_age(db, 1, PROTECTED)
    derive = "SELECT state FROM lead_protection.protection_as_of(now() - %s * INTERVAL '1 day')"
    assert db.execute(derive, (PROTECTED + 1,)).fetchall() == []
    assert db.execute(derive, (PROTECTED - 1,)).fetchall() == [("PROTECTED",)]


def test_a_closing_corrected_by_hand_was_always_then(db):
    insert_lead_of_age(db, 1, PROTECTED)
    for days in (1, 5):
        db.execute("UPDATE lead_protection.leads SET closed_at = now() - %s * INTERVAL '1 day'", (days,))
    shown = "SELECT state FROM lead_protection.protection_as_of(now() - %s * INTERVAL '1 day')"
    assert [db.execute(shown, (days,)).fetchone()[0] for days in (3, 6)] == ["CLOSED", "PROTECTED"]
