"""Which reminders wait, and since when: one clock for health, the metric, the KPIs, the SLA and the ledger."""

from datetime import UTC, datetime, timedelta

import pytest

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age, insert_policy

MINUTE = timedelta(minutes=1)


def told(db) -> dict[str, datetime | None]:
    """Since when the first reminder waits, as each place tells it."""
    (now,) = db.execute("SELECT clock_timestamp()").fetchone()
    (seconds,) = db.execute(
        "SELECT value FROM lead_protection.v_metrics WHERE metric = 'lead_reminder_oldest_due_seconds'"
    ).fetchone()
    (kpi,) = db.execute("SELECT min(oldest_due_at) FROM lead_protection.v_kpi_reminders").fetchone()
    (first,) = db.execute("SELECT min(waits_since) FROM lead_protection.waiting_reminders()").fetchone()
    return {"metric": now - timedelta(seconds=seconds), "v_kpi_reminders": kpi, "waiting_reminders": first}


def test_a_lead_entered_late_waits_from_when_it_was_entered(db):
    """With a start 249 days back its reminder was due days ago by the rule; nobody could send it then."""
    db.execute("CALL lead_protection.run_protection_pipeline()")
    insert_lead_of_age(db, 1, 249)
    (recorded,) = db.execute("SELECT recorded_at FROM lead_protection.leads").fetchone()
    for place, since in told(db).items():
        assert abs(since - recorded) < MINUTE, place
    status, found, amount = db.execute(
        "SELECT status, found, amount FROM lead_protection.health WHERE check_name = 'reminders_overdue'"
    ).fetchone()
    assert (status, amount) == ("ok", 0)
    assert found.startswith("1 due and not sent, the first for ") and "day" not in found and " h" not in found
    sla = "SELECT day, fell_due, waiting, sent_within FROM lead_protection.v_reminder_sla"
    day = recorded.astimezone(UTC).date()
    assert db.execute(sla).fetchall() == [(day, 1, 1, 0)]
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert db.execute(sla).fetchall() == [(day, 1, 0, 1)], "on the day on which it counted when it waited"


@pytest.mark.parametrize("cause", ["due by the rule", "recorded", "hold ended", "planned hold ended", "moved"])
def test_the_ledger_says_what_the_waiting_list_said(db, cause):
    policy_id = insert_policy(db, extension_days=50)
    insert_lead_of_age(db, 1, PROTECTED if cause == "moved" else REMINDER_DUE)
    if cause == "moved":
        db.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '238 days'")
    if cause != "recorded":
        db.execute("UPDATE lead_protection.leads SET recorded_at = created_at")
    by_rule, before = db.execute("SELECT reminder_due_at, now() FROM lead_protection.lead_clocks").fetchone()
    if cause == "hold ended":
        db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
        db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    elif cause == "planned hold ended":
        db.execute(
            "INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by)"
            " SELECT 1, 7, 'x', now() - INTERVAL '2 hours', now() - INTERVAL '1 hour', 1"
        )
        before -= timedelta(hours=1, minutes=1)
    elif cause == "moved":
        db.execute("SELECT lead_protection.move_leads_to_policy('{1}', %s, 'x', 1)", (policy_id,))
    ((since, due),) = db.execute(
        "SELECT waits_since, reminder_due_at FROM lead_protection.waiting_reminders()"
    ).fetchall()
    assert since == due == by_rule if cause == "due by the rule" else due < since and abs(since - before) < 5 * MINUTE
    for place, at in told(db).items():
        assert abs(at - since) < MINUTE, place
    db.execute("SELECT lead_protection.send_due_reminders('{1}', NULL)")
    assert db.execute("SELECT fell_due_at, due_at FROM lead_protection.lead_reminders").fetchall() == [(since, due)]
    assert set(told(db).values()) >= {None}
    assert db.execute("SELECT * FROM lead_protection.waiting_reminders()").fetchall() == []


def test_the_list_is_what_the_main_view_shows_as_due_and_not_on_hold(db, server):
    server.load_sample(db.info.dbname)
    for lead_id, days in ((901, REMINDER_DUE), (902, REMINDER_DUE), (903, EXPIRED)):
        insert_lead_of_age(db, lead_id, days)
    db.execute("SELECT lead_protection.create_lead_hold(902, 7, 'x', 1)")
    # One with a hold planned ahead waits as well.
    insert_lead_of_age(db, 904, REMINDER_DUE)
    db.execute(
        "SELECT lead_protection.create_lead_hold(904, 7, 'x', 1, now() + INTERVAL '1 day', now() + INTERVAL '2 days')"
    )
    columns = "lead_id, user_id, protection_expires_at, reminder_due_at"
    waiting = db.execute(f"SELECT {columns} FROM lead_protection.waiting_reminders() ORDER BY 1").fetchall()
    shown = db.execute(
        f"SELECT {columns} FROM lead_protection.v_user_lead_protection"
        " WHERE state = 'REMINDER_DUE' AND NOT on_hold ORDER BY 1"
    ).fetchall()
    assert {901, 904} <= {row[0] for row in waiting}
    # A notice that is owed moves the expiry as time passes.
    assert [row[:2] + row[3:] for row in waiting] == [row[:2] + row[3:] for row in shown]
    db.execute("SELECT lead_protection.refresh_metrics('0')")
    (metric,) = db.execute(
        "SELECT value FROM lead_protection.v_metrics WHERE metric = 'lead_reminder_waiting'"
    ).fetchone()
    (kpi,) = db.execute("SELECT sum(waiting) FROM lead_protection.v_kpi_reminders").fetchone()
    (sla,) = db.execute("SELECT sum(waiting) FROM lead_protection.v_reminder_sla").fetchone()
    assert metric == kpi == sla == len(waiting)


def test_the_metric_finds_the_longest_waiting_behind_those_that_were_due_earlier(db):
    """It stops its search early, but not too early: the one that fell due last has waited longest."""
    for lead_id, days in ((1, 250), (2, 249), (3, 248), (4, 247)):
        insert_lead_of_age(db, lead_id, days)
    (due,) = db.execute("SELECT reminder_due_at FROM lead_protection.lead_clocks WHERE lead_id = 4").fetchone()
    db.execute("UPDATE lead_protection.leads SET recorded_at = created_at WHERE id = 4")
    for place, since in told(db).items():
        assert abs(since - due) < MINUTE, place
