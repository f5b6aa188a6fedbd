"""The KPI views, against what was done."""

import psycopg
import pytest

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age

PIPELINE = "CALL lead_protection.run_protection_pipeline()"


def of_view(db: psycopg.Connection, columns: str, view: str, where: str = "true") -> list[tuple]:
    return db.execute(f"SELECT {columns} FROM lead_protection.{view} WHERE {where} ORDER BY 1, 2").fetchall()


def test_states_and_users_count_every_lead_once(sample):
    by_state = of_view(sample, "state, on_hold, leads", "v_kpi_states")
    assert len(by_state) == 12, "also those of which there is none"
    (leads,) = sample.execute("SELECT count(*) FROM lead_protection.leads").fetchone()
    assert sum(row[2] for row in by_state) == leads == 312
    sums = (
        "sum(leads), sum(protected), sum(reminder_due), sum(grace), sum(expired), sum(closed), sum(free), sum(on_hold)"
    )
    (total, *of_states, on_hold) = sample.execute(f"SELECT {sums} FROM lead_protection.v_kpi_users").fetchone()
    assert total == leads == sum(of_states)
    assert on_hold == sum(row[2] for row in by_state if row[1])
    names = ("PROTECTED", "REMINDER_DUE", "GRACE", "EXPIRED", "CLOSED", "FREE")
    assert of_states == [sum(row[2] for row in by_state if row[0] == name) for name in names]


def test_one_users_leads(db):
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, REMINDER_DUE)
    insert_lead_of_age(db, 3, EXPIRED)
    insert_lead_of_age(db, 4, PROTECTED, user_id=8)
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    columns = "user_id, leads, protected, reminder_due, grace, expired, closed, on_hold"
    assert of_view(db, columns, "v_kpi_users", "user_id = 7") == [(7, 3, 1, 1, 0, 1, 0, 1)]


def test_expiring_within_a_week(db):
    for lead_id, days in ((1, 249), (2, 249), (3, 249), (4, PROTECTED), (5, EXPIRED)):
        insert_lead_of_age(db, lead_id, days, user_id=8 if lead_id == 3 else 7)
    db.execute("SELECT lead_protection.create_lead_hold(2, 7, 'x', 1)")
    db.execute("SELECT lead_protection.send_due_reminders('{1}', NULL)")
    columns = "user_id, expiring, expiring_reminded, next_expires_at"
    first = "SELECT protection_expires_at FROM lead_protection.v_user_lead_protection WHERE lead_id = %s"
    next_of_7, next_of_8 = (db.execute(first, (lead_id,)).fetchone()[0] for lead_id in (1, 3))
    assert of_view(db, columns, "v_kpi_users") == [(7, 1, 1, next_of_7), (8, 1, 0, next_of_8)]


def test_reminders_of_a_user_and_the_sla(db):
    for lead_id in range(1, 6):
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
    db.execute("SELECT lead_protection.create_lead_hold(5, 7, 'x', 1)")
    db.execute("SELECT lead_protection.send_due_reminders('{1, 2}', NULL)")
    db.execute("UPDATE lead_protection.leads SET recorded_at = now() - INTERVAL '3 hours' WHERE id = 3")
    db.execute("SELECT lead_protection.send_due_reminders('{3}', NULL)")
    (window,) = db.execute("SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = 1").fetchone()
    db.execute("SELECT lead_protection.report_reminder_delivery(1, 7, %s, 'm', 'delivered')", (window,))
    columns = "user_id, waiting, oldest_due_at <= now(), sent, sent_within, delivered"
    assert of_view(db, columns, "v_kpi_reminders") == [(7, 1, True, 3, 2, 1)]
    db.execute("SELECT lead_protection.close_lead(4, 7, 'LOST', 'x', 1)")
    columns = "sum(fell_due), sum(sent_within), sum(sent_beyond), sum(waiting), sum(missed)"
    assert of_view(db, columns, "v_reminder_sla", "day > (now() AT TIME ZONE 'UTC')::date - 7") == [(4, 2, 1, 0, 1)]
    assert of_view(db, "waiting, oldest_due_at", "v_kpi_reminders") == [(0, None)]


def test_reactivations_of_a_user(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, EXPIRED)
    db.execute(PIPELINE)
    for lead_id, days in ((1, 30), (2, 150)):
        db.execute(
            "INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by)"
            " VALUES (%s, 7, 'x', now() - INTERVAL '200 days', now() - INTERVAL '200 days' + %s * INTERVAL '1 day', 1)",
            (lead_id, days),
        )
    db.execute(PIPELINE)
    # As docs/monitoring.md counts them.
    assert db.execute(
        "SELECT user_id, count(*), count(*) FILTER (WHERE state_before = 'EXPIRED') FROM lead_protection.protection_log"
        " WHERE event_type = 'lead.protection.reactivated' AND occurred_at >= now() - INTERVAL '7 days'"
        " GROUP BY user_id"
    ).fetchall() == [(7, 2, 1)]


def test_holds_of_a_user(sample):
    sample.execute(
        "SELECT lead_protection.move_leads_to_policy(ARRAY[264, 265], p.policy_id, 'limits', 902)"
        " FROM lead_protection.create_policy_version('standard', 902, hold_limit_days => 1) AS p"
    )
    each = sample.execute(
        "SELECT user_id, reason_code, count(*), count(DISTINCT lead_id), count(*) FILTER (WHERE overrun), min(start_at)"
        " FROM lead_protection.v_active_holds GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    columns = "user_id, reason_code, active, leads, overrun, oldest_start_at"
    assert of_view(sample, columns, "v_kpi_holds") == each != []
    totals = "SELECT sum(overrun), sum(ending) >= sum(overrun) FROM lead_protection.v_kpi_holds"
    assert sample.execute(totals).fetchone() == (2, True)


def test_consumers_are_told_from_their_deliveries(sample):
    sample.execute("SELECT lead_protection.register_event_consumer('crm', since => '2000-01-01', attempt_limit => 1)")
    sample.execute("SELECT lead_protection.register_event_consumer('idle')")
    sample.execute(
        "SELECT lead_protection.fail_events('crm', lease_token, ARRAY[id], 'x')"
        " FROM lead_protection.claim_events('crm', 5)"
    )
    exact = "consumer_name, ready + leased + retrying, dead, oldest_pending_at"
    told = of_view(sample, "consumer_name, pending, dead, oldest_pending_at, oldest_among", "v_event_consumers")
    assert [row[:4] for row in told] == of_view(sample, exact, "v_event_consumers")
    assert [row[2] for row in told] == [5, 0] and told[1][1:] == (0, 0, None, 0)
    counted = sample.execute(
        "SELECT count(*), min(e.timestamp) FROM lead_protection.event_deliveries AS d"
        " JOIN lead_protection.outbox_events AS e ON d.event_id = e.id WHERE d.status = 'pending'"
    ).fetchone()
    assert (told[0][1], told[0][3]) == counted
    assert told[0][4] == min(counted[0], 1000)


def test_jobs_are_told_from_their_runs(db, connect):
    columns = "job_name, last_success_at IS NOT NULL, last_outcome, left(last_error, 5), running IS NOT NULL, failures"
    reminders, nightly = "lead-protection-reminders", "lead-protection-nightly"
    follow = ("lead-protection-follow", False, None, None, False, 0)
    assert of_view(db, columns, "v_kpi_jobs") == [
        follow,
        (nightly, False, None, None, False, 0),
        (reminders, False, None, None, False, 0),
    ]
    db.execute(PIPELINE)
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute("ALTER TABLE lead_protection.outbox_events ADD CONSTRAINT intruder CHECK (false) NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(PIPELINE)
    connect().execute(f"SELECT lead_protection.start_job_run('{nightly}')")
    assert of_view(db, columns, "v_kpi_jobs") == [
        follow,
        (nightly, False, "running", None, True, 0),
        (reminders, True, "failed", "23514", False, 1),
    ]


def test_drift_is_that_of_the_last_proof(db):
    assert of_view(db, "drifted, proved_at", "v_kpi_clock_drift") == []
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("UPDATE lead_protection.lead_clocks SET user_id = 8")
    for found in (1, 0):
        db.execute("CALL lead_protection.run_nightly_maintenance()")
        assert of_view(db, "drifted, proved_at <= now()", "v_kpi_clock_drift") == [(found, True)]
