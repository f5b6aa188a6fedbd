"""One open transaction does not wrong others: who is locked is passed over, counted, told, and takes nobody's place."""

from datetime import timedelta

import psycopg
import pytest

from helpers.calls import row, rows
from helpers.facts import (
    EXPIRED,
    NIGHTLY_IDLE,
    PIPELINE_IDLE,
    PROTECTED,
    REMINDER_DUE,
    ago,
    drift,
    events,
    insert_holds,
    insert_lead_of_age,
    insert_leads_of_age,
    insert_policy,
    states,
)
from helpers.jobs import last_run, run_nightly, run_pipeline


@pytest.fixture
def idle(connect) -> psycopg.Connection:
    """A session that will leave its transaction open."""
    return connect(autocommit=False, application_name="a report")


def lock(session: psycopg.Connection, *lead_ids: int) -> None:
    session.execute(
        "SELECT FROM lead_protection.leads WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE", (list(lead_ids),)
    )


def check(db) -> dict:
    return row(db, "SELECT status, found, amount FROM lead_protection.health WHERE check_name = 'leads_locked'")


def time_passes(db, length: str) -> None:
    db.execute("UPDATE lead_protection.passed_over_leads SET since = since - %s::interval", (length,))


def noted(db) -> list[tuple]:
    """Who was passed over, and in which step."""
    return db.execute("SELECT lead_id, step FROM lead_protection.passed_over_leads ORDER BY 1").fetchall()


def test_locked_leads_do_not_starve_the_others_of_their_user(db, idle):
    """0.4.0 chose the 50 of a run before it locked: with 50 locked, the other 30 got nothing."""
    insert_leads_of_age(db, *[REMINDER_DUE] * 80)
    lock(idle, *range(1, 51))
    assert run_pipeline(db) == PIPELINE_IDLE | {"reminders": 30, "skipped_locked": 50}
    assert [lead_id for lead_id, state in states(db).items() if state == "GRACE"] == list(range(51, 81))
    idle.rollback()
    assert run_pipeline(db) == PIPELINE_IDLE | {"reminders": 50}
    assert rows(db, "SELECT * FROM lead_protection.passed_over_leads") == []


def test_a_locked_lead_takes_nobodys_place_in_a_run(db, idle):
    insert_leads_of_age(db, *[REMINDER_DUE] * 6)
    db.execute("SELECT lead_protection.configure_reminders(reminders_per_run => 4, reminders_per_user => NULL)")
    lock(idle, 1, 2)
    assert run_pipeline(db) == PIPELINE_IDLE | {"reminders": 4, "skipped_locked": 2}


def test_a_lead_under_notice_that_is_locked_is_told_with_who_holds_it(db, idle):
    """0.4.0 never sent its reminder, so it was protected for ever, and nothing was logged."""
    noticed = insert_policy(db, "noticed", notice_required=True)
    insert_lead_of_age(db, 1, EXPIRED)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (noticed,))
    db.execute("ALTER TABLE lead_protection.leads DISABLE TRIGGER USER")
    lock(idle, 1)
    assert run_pipeline(db)["skipped_locked"] == 1
    assert check(db)["status"] == "ok"
    time_passes(db, "16 minutes")
    assert run_pipeline(db)["skipped_locked"] == 1
    shown = check(db)
    assert (shown["status"], shown["amount"]) == ("warn", 1)
    holder = f"held by process {idle.info.backend_pid} of role postgres (a report), in a transaction for "
    assert "lead 1 was passed over for 16 min" in shown["found"] and holder in shown["found"]
    time_passes(db, "1 hour")
    assert check(db)["status"] == "critical"
    held = row(db, "SELECT * FROM lead_protection.v_passed_over_leads")
    assert (held["lead_id"], held["job_name"], held["step"]) == (1, "lead-protection-reminders", "reminders")
    assert (held["pid"], held["session_role"], held["application_name"]) == (
        idle.info.backend_pid,
        "postgres",
        "a report",
    )
    idle.rollback()
    assert "held by nobody any more" in check(db)["found"]
    assert run_pipeline(db) == PIPELINE_IDLE | {"reminders": 1}
    assert check(db) == {"status": "ok", "found": "no lead was found locked", "amount": 0}


@pytest.mark.parametrize("role", ["operator", "monitor"])
def test_operators_and_monitors_see_who_it_is(db, idle, connect, role):
    insert_leads_of_age(db, REMINDER_DUE)
    lock(idle, 1)
    run_pipeline(db)
    reader = connect()
    reader.execute(f"SET SESSION AUTHORIZATION lead_protection_{role}")
    assert f"process {idle.info.backend_pid} of role postgres (a report)" in check(reader)["found"]


def test_of_a_lock_that_the_row_does_not_tell_the_sessions_are_named_that_may_have_it(db, idle, connect):
    """Two share it; or it was taken in a part of a transaction that is over."""
    insert_leads_of_age(db, REMINDER_DUE)
    other = connect(autocommit=False)
    for session in (idle, other):
        session.execute("SELECT FROM lead_protection.leads WHERE id = 1 FOR SHARE")
    run_pipeline(db)
    pids = {held["pid"] for held in rows(db, "SELECT pid FROM lead_protection.v_passed_over_leads")}
    assert pids == {idle.info.backend_pid, other.info.backend_pid}
    for session in (idle, other):
        session.rollback()
    with idle.transaction():
        with idle.transaction():
            lock(idle, 1)
        run_pipeline(db)
        pids = {held["pid"] for held in rows(db, "SELECT pid FROM lead_protection.v_passed_over_leads")}
        assert pids == {idle.info.backend_pid}


def test_expiries_and_reactivations_of_locked_leads_are_noted_too(db, idle):
    insert_leads_of_age(db, EXPIRED, REMINDER_DUE, EXPIRED)
    run_pipeline(db)
    db.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '100 days' WHERE id = 2")
    insert_lead_of_age(db, 4, EXPIRED)
    insert_lead_of_age(db, 5, EXPIRED)
    lock(idle, 2, 4)
    assert run_pipeline(db) == PIPELINE_IDLE | {"expiries": 1, "skipped_locked": 2}
    assert noted(db) == [(2, "reactivations"), (4, "expiries")]
    idle.rollback()
    assert run_pipeline(db) == PIPELINE_IDLE | {"expiries": 1, "reactivations": 1}


def test_where_nearly_all_are_locked_a_run_gives_up_and_chooses_none_of_them(db, idle):
    insert_leads_of_age(db, *[REMINDER_DUE] * 12)
    db.execute("SELECT lead_protection.configure_reminders(reminders_per_run => 1, reminders_per_user => NULL)")
    lock(idle, *range(1, 13))
    assert db.execute("SELECT lead_protection.reminders_to_send(NULL)").fetchone() == ([],)


def test_a_lead_that_is_locked_once_it_was_chosen_is_noted_by_the_step_that_sends(db, idle):
    insert_leads_of_age(db, REMINDER_DUE)
    lock(idle, 1)
    assert db.execute("SELECT lead_protection.send_due_reminders('{1}', NULL)").fetchone() == (0,)
    assert noted(db) == [(1, "reminders")]


def test_an_expiry_that_alone_is_left_and_locked_is_noted_from_its_very_instant(db, idle):
    insert_leads_of_age(db, EXPIRED, EXPIRED)
    db.execute("UPDATE lead_protection.leads SET created_at = created_at - INTERVAL '1 day' WHERE id = 1")
    (ends_at,) = db.execute(
        "SELECT protection_expires_at FROM lead_protection.lead_clocks WHERE lead_id = 1"
    ).fetchone()
    lock(idle, 1)
    record = "SELECT lead_protection.record_expiries(%s, 10)"
    for as_of, expected in ((ends_at - timedelta(microseconds=1), []), (ends_at, [(1, "expiries")])):
        assert db.execute(record, (as_of,)).fetchone() == (0,)
        assert noted(db) == expected


def test_a_drill_of_the_past_locks_no_lead_that_has_ended_since(db, idle):
    insert_leads_of_age(db, EXPIRED)
    with db.transaction():
        assert db.execute("SELECT lead_protection.record_expiries(now() - INTERVAL '100 days', 10)").fetchone() == (0,)
        assert idle.execute("SELECT FROM lead_protection.leads FOR UPDATE SKIP LOCKED").rowcount == 1


def insert_leads_that_do_not_end(db) -> None:
    """Lead 1 is protected; the others look as if they had ended: closed, recorded, on hold, to be reminded first."""
    noticed = insert_policy(db, "noticed", notice_required=True)
    insert_lead_of_age(db, 3, EXPIRED)
    run_pipeline(db)
    for lead_id, days in ((1, PROTECTED), (2, EXPIRED), (4, EXPIRED), (5, EXPIRED)):
        insert_lead_of_age(db, lead_id, days)
    insert_holds(db, 4, [(ago(EXPIRED - 245), None)])
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 2")
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = 5", (noticed,))


def test_a_locked_lead_that_does_not_end_is_not_noted(db, idle):
    insert_leads_that_do_not_end(db)
    lock(idle, 1, 2, 3, 4, 5)
    assert run_pipeline(db) == PIPELINE_IDLE | {"skipped_locked": 1}
    assert noted(db) == [(5, "reminders")]


def test_a_run_locks_no_lead_that_does_not_end(db, idle):
    insert_leads_that_do_not_end(db)
    with db.transaction():
        for as_of in ("NULL", "now() - INTERVAL '100 days'"):
            assert db.execute(f"SELECT lead_protection.record_expiries({as_of}, 10)").fetchone() == (0,)
        assert idle.execute("SELECT id FROM lead_protection.leads FOR UPDATE SKIP LOCKED").rowcount == 5


def test_the_night_waits_for_no_lead_and_holds_up_nobody(db, idle):
    """0.4.0 waited for one lead while it held the others, and calls for these timed out."""
    limited = insert_policy(db, "limited", hold_limit_days=20)
    insert_leads_of_age(db, *[PROTECTED] * 6)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (limited,))
    for lead_id, days in ((1, 30), (2, 30), (3, 15), (4, 15)):
        start = row(db, "SELECT now() - %s * INTERVAL '1 day' AS at", days)["at"]
        insert_holds(db, lead_id, [(start, None)])
    db.execute("UPDATE lead_protection.lead_clocks SET reminder_due_at = now() WHERE lead_id IN (5, 6)")
    lock(idle, 1, 3, 5)
    db.execute("SET lock_timeout = '1s'")
    done = run_nightly(db)
    assert done == NIGHTLY_IDLE | {
        "holds_overrun": 1,
        "hold_limits_announced": 1,
        "clocks_mended": 1,
        "skipped_locked": 3,
    }
    assert noted(db) == [
        (1, "holds_overrun"),
        (3, "hold_limits_announced"),
        (5, "clocks_mended"),
    ]
    idle.rollback()
    assert run_nightly(db) == done | {"skipped_locked": 0}
    assert (drift(db), last_run(db)[0]) == ([], "succeeded")
    assert events(db).count("lead.hold.overrun") == 2


def test_many_holds_past_their_limit_are_ended_in_batches_past_those_that_are_locked(db, idle):
    limited = insert_policy(db, "limited", hold_limit_days=20)
    insert_leads_of_age(db, *[PROTECTED] * 7)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (limited,))
    start = row(db, "SELECT now() - INTERVAL '30 days' AS at")["at"]
    for lead_id in range(1, 8):
        insert_holds(db, lead_id, [(start, None)])
    lock(idle, 1, 2, 3)
    ended = [row(db, "SELECT lead_protection.end_overrun_holds(2) AS ended")["ended"] for _ in range(6)]
    assert (ended[-1], sum(ended)) == (0, 4)


def test_skipped_locked_is_a_metric(db, idle):
    insert_leads_of_age(db, REMINDER_DUE, REMINDER_DUE)
    lock(idle, 1, 2)
    run_pipeline(db)
    time_passes(db, "20 minutes")
    shown = "SELECT sample, value FROM lead_protection.metric_samples(%s)"
    assert rows(db, shown, ("lead_job_skipped_locked",)) == [{"sample": "lead_job_skipped_locked", "value": 2}]
    (held,) = rows(db, shown, ("lead_job_passed_over_seconds",))
    assert 1200 <= held["value"] < 1260
