"""The pipeline: what it sends and records, once; what it leaves alone; how its runs are logged."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from helpers.calls import refused, rows
from helpers.facts import (
    EXPIRED,
    NIGHTLY_IDLE,
    PIPELINE_IDLE,
    PROTECTED,
    REMINDER_DUE,
    events,
    insert_holds,
    insert_lead_of_age,
    insert_policy,
    states,
)
from helpers.jobs import call_pipeline, last_run

CHANGE, REMINDER, EXPIRY, REACTIVATION = (
    "lead.changed",
    "lead.protection.reminder",
    "lead.protection.expired",
    "lead.protection.reactivated",
)


def run_told(db, **arguments):
    """Call the pipeline and return what its run says it did."""
    call_pipeline(db, **arguments)
    return last_run(db)


def did(reminders=0, expiries=0, reactivations=0):
    """What a run that succeeded says."""
    done = {"reminders": reminders, "expiries": expiries, "reactivations": reactivations}
    return "succeeded", PIPELINE_IDLE | done


def test_sends_what_is_due_and_records_what_expired_once(db):
    for lead_id, days in enumerate([PROTECTED, REMINDER_DUE, EXPIRED], start=1):
        insert_lead_of_age(db, lead_id, days)
    assert states(db) == {1: "PROTECTED", 2: "REMINDER_DUE", 3: "EXPIRED"}
    assert run_told(db) == did(reminders=1, expiries=1)
    assert states(db) == {1: "PROTECTED", 2: "GRACE", 3: "EXPIRED"}
    assert (events(db, 1), events(db, 2), events(db, 3)) == ([], [REMINDER], [EXPIRY])
    assert run_told(db) == did()
    assert (events(db, 1), events(db, 2), events(db, 3)) == ([], [REMINDER], [EXPIRY])


def test_ledger_log_and_event_tell_the_same(db):
    insert_lead_of_age(db, 2, REMINDER_DUE)
    shown = db.execute(
        "SELECT protection_expires_at, reminder_due_at FROM lead_protection.v_user_lead_protection"
    ).fetchone()
    run_told(db)
    ledger = db.execute(
        "SELECT protection_expires_at, due_at, sent_at, window_date FROM lead_protection.lead_reminders"
    ).fetchone()
    assert ledger[:2] == shown
    log = db.execute(
        "SELECT occurred_at, actor_id, state_before, state_after, expires_before, expires_after"
        " FROM lead_protection.protection_log"
    ).fetchone()
    assert log == (ledger[2], None, "REMINDER_DUE", "GRACE", shown[0], shown[0])
    payload = db.execute("SELECT payload FROM lead_protection.outbox_events").fetchone()[0]
    assert (payload["lead_id"], payload["user_id"], payload["state"]) == (2, 7, "GRACE")
    assert payload["window_date"] == str(ledger[3])
    for name, instant in (("protection_expires_at", shown[0]), ("reminder_due_at", shown[1])):
        assert datetime.fromisoformat(payload[name]) == instant


def test_a_lead_on_hold_is_neither_reminded_nor_expired(db):
    for lead_id, days in enumerate([REMINDER_DUE, EXPIRED], start=1):
        insert_lead_of_age(db, lead_id, days)
        insert_holds(db, lead_id, [(datetime.now(UTC) - timedelta(days=days - 245), None)])
    assert run_told(db) == did()
    assert events(db) == []


def test_a_closed_lead_is_neither_reminded_nor_expired(db):
    for lead_id, days in enumerate([REMINDER_DUE, EXPIRED], start=1):
        insert_lead_of_age(db, lead_id, days)
    db.execute("UPDATE lead_protection.leads SET closed_at = now()")
    assert run_told(db) == did()
    assert events(db) == [CHANGE, CHANGE] and set(states(db).values()) == {"CLOSED"}


def test_a_new_window_gets_its_own_reminder(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    run_told(db)
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1, now() - INTERVAL '1 day 1 hour')")
    assert states(db) == {1: "GRACE"}
    assert run_told(db) == did()
    db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    # The reminder was sent a moment ago and fell due before that in the new window too: it covers it.
    assert states(db) == {1: "GRACE"}
    db.execute("UPDATE lead_protection.lead_reminders SET sent_at = due_at, fell_due_at = due_at")
    assert states(db) == {1: "REMINDER_DUE"}
    assert run_told(db) == did(reminders=1)
    assert db.execute("SELECT count(DISTINCT window_date) FROM lead_protection.lead_reminders").fetchone() == (2,)


def test_a_planned_hold_in_grace_reactivates(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    run_told(db)
    db.execute(
        "SELECT lead_protection.create_lead_hold(1, 7, 'x', 1, now() + INTERVAL '1 hour', now() + INTERVAL '20 days')"
    )
    assert states(db) == {1: "PROTECTED"}
    assert run_told(db) == did(reactivations=1)
    assert run_told(db) == did()
    assert events(db) == ["lead.hold.created", REACTIVATION, REMINDER]
    assert db.execute("SELECT reactivated_at >= sent_at FROM lead_protection.lead_reminders").fetchone() == (True,)


def test_a_corrected_start_brings_an_expired_lead_back_and_it_can_expire_again(db):
    insert_lead_of_age(db, 1, EXPIRED)
    assert run_told(db) == did(expiries=1)
    db.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '100 days'")
    assert run_told(db) == did(reactivations=1)
    assert events(db) == [CHANGE, EXPIRY, REACTIVATION]
    db.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '300 days'")
    assert run_told(db) == did(expiries=1)
    assert run_told(db) == did()
    assert events(db) == [CHANGE, CHANGE, EXPIRY, EXPIRY, REACTIVATION]
    standing = db.execute("SELECT reactivated_at IS NULL FROM lead_protection.lead_expiries ORDER BY id").fetchall()
    assert standing == [(False,), (True,)]


def test_expired_lead_that_was_never_reminded_gets_no_reminder(db):
    insert_lead_of_age(db, 1, EXPIRED)
    run_told(db)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (0,)
    assert "reminded_at" not in db.execute("SELECT payload FROM lead_protection.outbox_events").fetchone()[0]


def test_batches_commit_one_after_another(db, connect):
    """The third batch fails: the two before it stand, and the run says what happened."""
    for lead_id in range(1, 8):
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
    db.execute(
        "CREATE FUNCTION public.fail_on_seven() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF new.lead_id = 7 THEN RAISE 'disk full' USING ERRCODE = '53100'; END IF; RETURN new; END $$;"
        "CREATE TRIGGER fail BEFORE INSERT ON lead_protection.lead_reminders"
        " FOR EACH ROW EXECUTE FUNCTION public.fail_on_seven()"
    )
    with pytest.raises(psycopg.Error) as failed:
        run_told(db, batch_size=3)
    assert failed.value.sqlstate == "53100"
    assert events(db) == [REMINDER] * 6
    outcome, result, error = db.execute("SELECT outcome, result, error FROM lead_protection.job_runs").fetchone()
    assert (outcome, result["reminders"], error) == ("failed", 6, "53100: disk full")
    # The session that failed keeps no lock: another one catches up.
    db.execute("DROP TRIGGER fail ON lead_protection.lead_reminders")
    assert run_told(connect()) == did(reminders=1)
    assert events(db) == [REMINDER] * 7


def test_a_drill_decides_for_an_instant_in_the_past(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    due = db.execute("SELECT reminder_due_at FROM lead_protection.v_user_lead_protection").fetchone()[0]
    assert run_told(db, as_of=due - timedelta(microseconds=1)) == did()
    assert run_told(db, as_of=due) == did(reminders=1)
    assert db.execute("SELECT sent_at FROM lead_protection.lead_reminders").fetchone() == (due,)


def test_a_drill_is_refused_where_leads_are_real(db):
    """0.4.0 let the job role take the grace from users: a reminder that bears an instant 15 days ago."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    assert db.execute("SELECT for_drills FROM lead_protection.settings").fetchone() == (False,)
    refused("LP080", db.execute, "CALL lead_protection.run_protection_drill(now() - INTERVAL '15 days')")
    assert (events(db), rows(db, "SELECT FROM lead_protection.job_runs")) == ([], [])


@pytest.mark.parametrize("role", ["jobs", "operator"])
def test_nobody_but_the_owner_runs_a_drill_or_marks_a_database_for_them(role, db, connect):
    db.execute("UPDATE lead_protection.settings SET for_drills = true")
    session = connect()
    session.execute(f"SET SESSION AUTHORIZATION lead_protection_{role}")
    for statement in (
        "CALL lead_protection.run_protection_drill(now() - INTERVAL '15 days')",
        "SELECT lead_protection.start_drill(now() - INTERVAL '15 days', 1000)",
        "UPDATE lead_protection.settings SET for_drills = true",
        "UPDATE lead_protection.job_runs SET as_of = now() - INTERVAL '15 days'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
    with pytest.raises(psycopg.errors.UndefinedFunction):
        session.execute("CALL lead_protection.run_protection_pipeline(now() - INTERVAL '15 days')")


@pytest.mark.parametrize(
    ("sqlstate", "arguments"),
    [
        ("LP013", {"as_of": datetime.now(UTC) + timedelta(days=1)}),
        ("LP013", {"as_of": "infinity"}),
        ("LP013", {"as_of": "-infinity"}),
        ("LP016", {"batch_size": 0}),
        ("LP016", {"batch_size": -1}),
        ("LP016", {"batch_size": None}),
    ],
)
def test_bad_input_is_refused_changes_nothing_and_is_no_run(db, sqlstate, arguments):
    insert_lead_of_age(db, 1, EXPIRED)
    refused(sqlstate, run_told, db, **arguments)
    assert (events(db), rows(db, "SELECT FROM lead_protection.job_runs")) == ([], [])
    assert run_told(db) == did(expiries=1)


@pytest.mark.parametrize("keep", ["1 hour", "29 days", "100000 years", "-1 day", None])
def test_nightly_keeps_30_days_or_more(db, keep):
    """0.4.0 let the job role purge all but the last day; 100000 years were a raw 22008."""
    refused("LP016", db.execute, "CALL lead_protection.run_nightly_maintenance(%s)", (keep,))
    assert rows(db, "SELECT FROM lead_protection.job_runs") == []


def test_a_run_that_has_ended_cannot_be_rewritten(db):
    run_told(db)
    before = rows(db, "SELECT * FROM lead_protection.job_runs")
    assert rows(db, "SELECT lead_protection.run_job_step(id) AS goes_on FROM lead_protection.job_runs") == [
        {"goes_on": False}
    ]
    assert rows(db, "SELECT * FROM lead_protection.job_runs") == before


def test_the_job_role_cannot_make_health_believe_in_a_run_that_did_not_happen(db, connect):
    """In 0.4.0 start_job_run() and update_job_run(…, 'succeeded') did."""
    insert_lead_of_age(db, 1, EXPIRED)
    believed = "SELECT last_sign_of_life_at FROM lead_protection.v_kpi_jobs WHERE job_name = 'lead-protection-nightly'"
    session = connect()
    session.execute("SET SESSION AUTHORIZATION lead_protection_jobs")
    ((run_id,),) = session.execute("SELECT lead_protection.start_job_run('lead-protection-nightly')").fetchall()
    for statement in (
        "UPDATE lead_protection.job_runs SET outcome = 'succeeded', finished_at = now()",
        "INSERT INTO lead_protection.job_runs (job_name) VALUES ('lead-protection-nightly')",
        "SELECT lead_protection.count_passed_over(NULL)",
        "SELECT lead_protection.purge_events('1 day')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
    assert db.execute(believed).fetchone() == (None,)
    refused("LP082", session.execute, "SELECT lead_protection.start_job_run('lead-protection-cron-history')")
    # It can take the run on, and then the run has happened.
    while session.execute("SELECT lead_protection.run_job_step(%s)", (run_id,)).fetchone() == (True,):
        assert db.execute(believed).fetchone() == (None,)
    assert db.execute(believed).fetchone() != (None,)
    assert last_run(db) == ("succeeded", NIGHTLY_IDLE)


def test_a_standing_expiry_is_taken_back_while_an_open_hold_protects_the_lead(db):
    insert_lead_of_age(db, 1, EXPIRED)
    run_told(db)
    insert_holds(db, 1, [(datetime.now(UTC) - timedelta(days=60), None)])
    assert states(db) == {1: "PROTECTED"}
    assert run_told(db) == did(reactivations=1)
    assert run_told(db) == did()


def test_a_clock_that_was_set_back_does_not_stop_the_job(db):
    """A run as of an hour ago meets a reminder and an expiry of this minute that have to be taken back."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, EXPIRED)
    run_told(db)
    db.execute(
        "SELECT lead_protection.create_lead_hold(1, 7, 'x', 1, now() + INTERVAL '1 hour', now() + INTERVAL '1 month')"
    )
    db.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '100 days' WHERE id = 2")
    assert run_told(db, as_of=datetime.now(UTC) - timedelta(hours=1)) == did(reactivations=2)


def test_a_reminder_of_the_present_window_covers_it_under_a_new_policy_too(db):
    """It falls due later there, but the ledger takes one reminder for a window: it must not stay due for ever."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    early = insert_policy(db, "early", grace_days=20, extension_days=50)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (early,))
    due = db.execute("SELECT reminder_due_at FROM lead_protection.v_user_lead_protection").fetchone()[0]
    assert run_told(db, as_of=due) == did(reminders=1)
    # Taken back and valid again, it covers all the same.
    db.execute(
        "SELECT lead_protection.create_lead_hold(1, 7, 'x', 1, now() + INTERVAL '1 hour', now() + INTERVAL '40 days')"
    )
    assert run_told(db) == did(reactivations=1)
    db.execute("DELETE FROM lead_protection.lead_holds")
    db.execute("UPDATE lead_protection.leads SET policy_id = 1")
    assert states(db) == {1: "GRACE"}
    assert run_told(db) == did()


def test_inside_a_transaction_it_is_refused(db):
    insert_lead_of_age(db, 1, EXPIRED)
    with pytest.raises(psycopg.errors.InvalidTransactionTermination), db.transaction():
        run_told(db)
    assert events(db) == []


def test_a_killed_run_is_called_abandoned_by_the_next(db, connect, wait_until):
    """One that is cancelled says so itself; one whose process was killed cannot."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    dead = connect()
    pid = dead.info.backend_pid
    dead.execute("SELECT lead_protection.start_job_run('lead-protection-reminders')")
    dead.close()
    wait_until(lambda: not db.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone())
    run_told(db)
    outcomes = db.execute("SELECT outcome FROM lead_protection.job_runs ORDER BY id").fetchall()
    assert outcomes == [("abandoned",), ("succeeded",)]


def test_nightly_mends_and_logs_drift_and_purges_history(db):
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, PROTECTED)
    db.execute(
        "UPDATE lead_protection.lead_clocks SET protection_expires_at = protection_expires_at + INTERVAL '1 day'"
        " WHERE lead_id = 1; DELETE FROM lead_protection.lead_clocks WHERE lead_id = 2;"
        "INSERT INTO lead_protection.job_runs (job_name, started_at, finished_at, outcome)"
        " SELECT 'old', t, t, 'succeeded' FROM unnest(ARRAY[now() - INTERVAL '91 days', now()]) AS t"
    )
    db.execute(
        "INSERT INTO lead_protection.job_runs (job_name, started_at, backend_pid)"
        " VALUES ('still at it', now() - INTERVAL '91 days', pg_backend_pid())"
    )
    db.execute("SET TimeZone = 'Asia/Tokyo'")
    drifted = db.execute("SELECT lead_id FROM lead_protection.find_clock_drift() ORDER BY 1").fetchall()
    assert drifted == [(1,), (2,)]
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    assert last_run(db) == ("succeeded", NIGHTLY_IDLE | {"clocks_mended": 2, "job_runs_purged": 1})
    assert db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []
    details = db.execute("SELECT details -> 'derived' ->> 'started_at' FROM lead_protection.protection_log").fetchone()[
        0
    ]
    assert details.endswith("+00:00")
    assert db.execute("SELECT count(*) FROM lead_protection.job_runs WHERE job_name = 'still at it'").fetchone() == (1,)
    mended = db.execute(
        "SELECT lead_id, expires_before - expires_after FROM lead_protection.protection_log"
        " WHERE event_type = 'lead.clock.mended' ORDER BY lead_id"
    ).fetchall()
    assert mended == [(1, timedelta(days=1)), (2, None)]
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    assert last_run(db) == ("succeeded", NIGHTLY_IDLE)


def test_leads_on_hold_do_not_keep_others_waiting(db):
    """A batch is filled with leads that can be handled, not with the longest due that cannot."""
    for lead_id, days in ((1, REMINDER_DUE), (2, REMINDER_DUE - 1), (3, EXPIRED), (4, EXPIRED - 1)):
        insert_lead_of_age(db, lead_id, days)
    for lead_id, days in ((1, REMINDER_DUE), (3, EXPIRED)):
        insert_holds(db, lead_id, [(datetime.now(UTC) - timedelta(days=days - 245), None)])
    assert run_told(db, batch_size=1) == did(reminders=1, expiries=1)
    assert (events(db, 2), events(db, 4)) == ([REMINDER], [EXPIRY])


def test_the_expiry_of_a_former_user_does_not_stand_for_the_next(db):
    insert_lead_of_age(db, 1, EXPIRED)
    run_told(db)
    db.execute("UPDATE lead_protection.leads SET user_id = 8, created_at = now()")
    assert run_told(db) == did()
    db.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '300 days'")
    assert run_told(db) == did(expiries=1)
    standing = db.execute("SELECT user_id, reactivated_at IS NULL FROM lead_protection.lead_expiries ORDER BY id")
    assert standing.fetchall() == [(7, True), (8, True)]


def test_a_run_that_its_own_session_left_behind_is_called_abandoned(db):
    """A timeout outside the steps ends a run without a word; the session may live on and run the next."""
    db.execute("SELECT lead_protection.start_job_run('lead-protection-reminders')")
    assert run_told(db) == did()
    outcomes = db.execute("SELECT outcome FROM lead_protection.job_runs ORDER BY id").fetchall()
    assert outcomes == [("abandoned",), ("succeeded",)]


def test_a_window_that_comes_back_was_announced_even_if_a_later_one_was_too(db):
    """The ledger takes no second reminder for it: the lead must not wait for one, nor keep others waiting."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, REMINDER_DUE - 1)
    # The present window was announced before it was due, and after that another one, which has gone again.
    db.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)"
        " SELECT lead_id, user_id, window_date + later, protection_expires_at + make_interval(days => later),"
        " reminder_due_at - INTERVAL '9 days', reminder_due_at - INTERVAL '9 days' + make_interval(days => later)"
        " FROM lead_protection.lead_clocks, unnest(ARRAY[0, 7]) AS later WHERE lead_id = 1"
    )
    assert states(db) == {1: "GRACE", 2: "REMINDER_DUE"}
    assert run_told(db, batch_size=1) == did(reminders=1)
    assert states(db) == {1: "GRACE", 2: "GRACE"}


def test_a_recorded_expiry_that_a_notice_takes_back_is_reactivated_and_then_reminded(db):
    insert_lead_of_age(db, 1, EXPIRED)
    assert run_told(db) == did(expiries=1)
    policy_id = insert_policy(db, "notice")
    db.execute("ALTER TABLE lead_protection.protection_policies DISABLE TRIGGER refuse_new_terms")
    db.execute("UPDATE lead_protection.protection_policies SET notice_required = true WHERE id = %s", (policy_id,))
    # By hand: move_leads_to_policy() does not move a lead that is free.
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (policy_id,))
    assert states(db) == {1: "REMINDER_DUE"}
    assert run_told(db) == did(reactivations=1, reminders=1)
    assert states(db) == {1: "GRACE"}


def test_a_late_reminder_tells_the_date_that_then_stands(db):
    """A hold that is planned for the grace days after it moves the end of them, from the first."""
    policy_id = insert_policy(db, "notice", notice_required=True)
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute("SELECT lead_protection.move_leads_to_policy('{1}', %s, 'x', 1)", (policy_id,))
    insert_holds(db, 1, [(datetime.now(UTC) + timedelta(days=7), datetime.now(UTC) + timedelta(days=9))])
    assert run_told(db) == did(reminders=1)
    told, stands, told_early = db.execute(
        "SELECT g.expires_after, p.protection_expires_at, g.expires_after < g.occurred_at + INTERVAL '11 days 22 hours'"
        " FROM lead_protection.protection_log AS g, lead_protection.v_user_lead_protection AS p"
        " WHERE g.event_type = 'lead.protection.reminder'"
    ).fetchone()
    assert told == stands
    assert not told_early
