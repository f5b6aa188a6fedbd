"""What becomes of a reminder: delivered, failed and sent again, or skipped; each report counts once."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from helpers.facts import REMINDER_DUE, events, insert_lead_of_age
from helpers.jobs import repeat_now, run_pipeline

REMINDER = "lead.protection.reminder"
DELIVERED, FAILED, SKIPPED = "lead.reminder.delivered", "lead.reminder.failed", "lead.reminder.skipped"


def window(db, lead_id=1):
    """The last window the lead was reminded of."""
    return db.execute(
        "SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = %s ORDER BY sent_at DESC LIMIT 1",
        (lead_id,),
    ).fetchone()[0]


def report(db, action, message_id="m1", *more, lead_id=1, user_id=7, day=None):
    """Ask (start) or report (confirm, fail) for the lead's last reminder; the answer by names."""
    with db.cursor(row_factory=namedtuple_row) as cursor:
        outcome = {"start": [], "confirm": ["delivered", None], "fail": ["failed"]}[action]
        arguments = [lead_id, user_id, day or window(db, lead_id), message_id, *outcome, *more]
        marks = ", ".join(["%s"] * len(arguments))
        function = "start_reminder_delivery" if action == "start" else "report_reminder_delivery"
        return cursor.execute(f"SELECT * FROM lead_protection.{function}({marks})", arguments).fetchone()


def ledger(db, lead_id=1):
    """attempts, outcome, why of the lead's reminders; whether delivered, whether to be repeated."""
    return db.execute(
        "SELECT attempts, outcome, why, delivered_at IS NOT NULL, retry_at IS NOT NULL"
        " FROM lead_protection.v_lead_reminders WHERE lead_id = %s ORDER BY sent_at",
        (lead_id,),
    ).fetchall()


@pytest.fixture
def reminded(db):
    """Leads 1 to 3 of user 7, reminded a moment ago."""
    for lead_id in (1, 2, 3):
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
    run_pipeline(db)


# --- confirmed ---


def test_a_delivery_is_asked_for_and_confirmed(db, reminded):
    asked = report(db, "start")
    assert (asked.deliver, asked.outcome, asked.changed, asked.delivered_at) == (True, None, False, None)
    assert report(db, "start").deliver, "asking changes nothing"
    confirmed = report(db, "confirm")
    assert (confirmed.deliver, confirmed.outcome, confirmed.changed) == (False, "delivered", True)
    row = db.execute(
        "SELECT due_at, sent_at, delivered_at, attempts, outcome, latency = sent_at - fell_due_at"
        " FROM lead_protection.v_lead_reminders WHERE lead_id = 1"
    ).fetchone()
    assert row == (confirmed.due_at, confirmed.sent_at, confirmed.delivered_at, 1, "delivered", True)
    assert row[0] < row[1] < row[2]
    assert events(db, 1) == [REMINDER, DELIVERED]


def test_a_repeated_confirmation_says_the_same_and_changes_nothing(db, reminded):
    first, again = report(db, "confirm"), report(db, "confirm")
    assert (first.changed, again.changed) == (True, False)
    assert first._replace(changed=False) == again
    assert report(db, "start").why is None and not report(db, "start").deliver
    assert events(db, 1) == [REMINDER, DELIVERED]


def test_the_instant_of_the_delivery_may_be_given(db, reminded):
    (instant,) = db.execute("SELECT now() - INTERVAL '1 minute'").fetchone()
    assert report(db, "confirm", "m1", instant).delivered_at == instant
    assert report(db, "confirm", "m2", instant + timedelta(seconds=9)).delivered_at == instant, "the first one counts"
    assert report(db, "confirm", "m2", instant - timedelta(hours=1)).changed is False


def test_a_delivery_is_a_fact_even_if_the_lead_is_closed_since(db, reminded):
    db.execute("SELECT lead_protection.close_lead(1, 7, 'LOST', 'x', 1)")
    assert report(db, "confirm").changed


def test_one_message_may_carry_several_reminders(db, reminded):
    assert [report(db, "confirm", "digest", lead_id=n).changed for n in (1, 2, 3, 1)] == [True, True, True, False]


# --- failed ---


def test_a_failed_delivery_is_sent_again_as_a_new_event_with_one_row_in_the_ledger(db, reminded):
    failed = report(db, "fail", "m1", "550 no such user anna@example.com")
    assert (failed.outcome, failed.changed, failed.delivered_at) == ("failed", True, None)
    assert timedelta(minutes=14) < failed.retry_at - datetime.now(UTC) <= timedelta(minutes=15)
    run_pipeline(db)
    assert events(db, 1) == [REMINDER, FAILED], "not before the pause is over"
    repeat_now(db)
    assert events(db, 1) == [REMINDER, REMINDER, FAILED]
    attempts = db.execute(
        "SELECT payload ->> 'attempt', payload ->> 'window_date', payload ->> 'reminder_due_at'"
        " FROM lead_protection.outbox_events WHERE type = %s AND aggregateid = '1' ORDER BY sequence_number",
        (REMINDER,),
    ).fetchall()
    assert [row[0] for row in attempts] == ["1", "2"] and attempts[0][1:] == attempts[1][1:]
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (3,)
    assert ledger(db) == [(2, "failed", "550 no such user anna@example.com", False, False)]
    report(db, "confirm", "m2")
    assert ledger(db) == [(2, "delivered", None, True, False)]
    repeat_now(db)
    assert len(events(db, 1)) == 4


def test_the_words_of_a_failure_are_logged_and_not_published(db, reminded):
    report(db, "fail", "m1", "550 no such user anna@example.com")
    row = db.execute(
        "SELECT g.reason, o.payload::text FROM lead_protection.protection_log AS g"
        " JOIN lead_protection.outbox_events AS o ON o.id = g.event_id WHERE g.event_type = %s",
        (FAILED,),
    ).fetchone()
    assert row[0] == "550 no such user anna@example.com" and "anna" not in row[1] and "550" not in row[1]


def test_the_pauses_double_and_end_with_the_last_attempt(db, reminded):
    db.execute("SELECT lead_protection.configure_reminders(delivery_attempts => 4, delivery_retry_delay => '10 hours')")
    pauses = []
    for attempt in range(1, 5):
        answer = report(db, "fail", f"m{attempt}", "x")
        pauses.append(answer.retry_at and round((answer.retry_at - datetime.now(UTC)).total_seconds() / 3600))
        repeat_now(db)
    assert pauses == [10, 20, 24, None]
    assert events(db, 1).count(REMINDER) == 4
    assert ledger(db) == [(4, "failed", "x", False, False)]


def test_a_repeated_failure_plans_nothing_more(db, reminded):
    first, again = report(db, "fail", "m1", "x"), report(db, "fail", "m1", "y")
    assert again == first._replace(changed=False)
    repeat_now(db)
    assert report(db, "fail", "m1", "x").changed is False
    repeat_now(db)
    assert events(db, 1) == [REMINDER, REMINDER, FAILED]


def test_two_messages_that_failed_are_one_repetition(db, reminded):
    first, second = report(db, "fail", "m1", "x"), report(db, "fail", "m2", "x")
    assert first.retry_at == second.retry_at
    repeat_now(db)
    assert events(db, 1).count(REMINDER) == 2


def test_each_lead_of_a_user_and_window_is_repeated_by_its_own_state_and_counted_by_itself(db, reminded):
    """Leads 1 to 3 are of one user and one window; lead 2 stands still, lead 3 has been repeated once more."""
    report(db, "fail", "m1", "x", lead_id=3)
    repeat_now(db)
    for lead_id in (1, 2, 3):
        report(db, "fail", "m2", "x", lead_id=lead_id)
    db.execute("SELECT lead_protection.create_lead_hold(2, 7, 'x', 1)")
    db.execute("UPDATE lead_protection.reminder_deliveries SET retry_at = now() WHERE message_id = 'm2'")
    # Of all three, as if lead 2 had been put on hold since they were chosen.
    assert db.execute("SELECT lead_protection.send_due_reminders('{1, 2, 3}', NULL)").fetchone() == (2,)
    told = db.execute(
        "SELECT aggregateid::int, max(payload ->> 'attempt'), count(*), count(DISTINCT payload ->> 'attempt')"
        " FROM lead_protection.outbox_events WHERE type = %s GROUP BY 1 ORDER BY 1",
        (REMINDER,),
    ).fetchall()
    assert told == [(1, "2", 2, 2), (2, "1", 1, 1), (3, "3", 3, 3)]


def test_a_message_that_bounces_after_it_was_accepted_counts_as_failed(db, reminded):
    report(db, "confirm")
    bounced = report(db, "fail", "m1", "bounced")
    assert (bounced.changed, bounced.outcome, bounced.delivered_at) == (True, "failed", None)
    assert report(db, "confirm").changed is False, "the late repetition of the confirmation changes nothing"
    repeat_now(db)
    assert events(db, 1) == [REMINDER, REMINDER, DELIVERED, FAILED]


def test_a_delivery_cancels_the_repetition(db, reminded):
    report(db, "fail", "m1", "x")
    assert report(db, "confirm", "m2").retry_at is None
    repeat_now(db)
    assert events(db, 1).count(REMINDER) == 1
    assert report(db, "fail", "m3", "x").retry_at is None, "one has arrived"


@pytest.mark.parametrize(
    "end",
    [
        "close_lead(1, 7, 'LOST', 'x', 1)",
        "transfer_lead(1, 7, 8, 'x', 1)",
        "extend_lead(1, 7, 30, 'x', 1, 1, 'k')",
        "create_lead_hold(1, 7, 'x', 1)",
    ],
)
def test_what_makes_no_sense_any_more_is_not_sent_again(db, reminded, end):
    report(db, "fail", "m1", "x")
    db.execute(f"SELECT lead_protection.{end}")
    repeat_now(db)
    assert events(db, 1).count(REMINDER) == 1


def test_a_failure_after_the_end_plans_nothing(db, reminded):
    db.execute("SELECT lead_protection.close_lead(1, 7, 'LOST', 'x', 1)")
    failed = report(db, "fail", "m1", "x")
    assert failed.changed and failed.retry_at is None


# --- skipped ---

OBSTACLES = {
    "CLOSED": "close_lead(1, 7, 'LOST', 'x', 1)",
    "TRANSFERRED": "transfer_lead(1, 7, 8, 'x', 1)",
    "MOVED": "extend_lead(1, 7, 30, 'x', 1, 1, 'k')",
    "ON_HOLD": "create_lead_hold(1, 7, 'x', 1)",
    "DELIVERED": "report_reminder_delivery(1, 7, (SELECT window_date FROM lead_protection.lead_reminders"
    " WHERE lead_id = 1), 'm0', 'delivered')",
}


@pytest.mark.parametrize(("why", "change"), OBSTACLES.items())
def test_a_reminder_that_makes_no_sense_any_more_is_skipped_and_logged_once(db, reminded, why, change):
    db.execute(f"SELECT lead_protection.{change}")
    first, again = report(db, "start"), report(db, "start")
    assert (first.deliver, first.outcome, first.why, first.changed) == (False, "skipped", why, True)
    assert again == first._replace(changed=False)
    assert events(db, 1).count(SKIPPED) == 1
    logged = "SELECT payload ->> 'obstacle' FROM lead_protection.outbox_events WHERE type = %s"
    assert db.execute(logged, (SKIPPED,)).fetchall() == [(why,)]
    assert (first.retry_at is not None) == (why == "ON_HOLD")


def test_the_reminder_of_an_expired_lead_is_skipped(db, reminded):
    day = window(db)
    db.execute("SELECT lead_protection.backdate_lead(1, 7, now() - INTERVAL '300 days', 'x', 'x', 1)")
    assert report(db, "start", day=day).why == "EXPIRED"


def test_skipped_on_hold_it_is_sent_again_when_the_clock_runs_on_with_the_same_window(db, reminded):
    (hold_id,) = db.execute("SELECT hold_id FROM lead_protection.create_lead_hold(1, 7, 'x', 1)").fetchone()
    assert report(db, "start").why == "ON_HOLD"
    run_pipeline(db)
    assert events(db, 1).count(REMINDER) == 1, "not while it is on hold"
    db.execute("SELECT lead_protection.void_lead_hold(%s, 1, 'x', 1)", (hold_id,))
    run_pipeline(db)
    assert events(db, 1).count(REMINDER) == 2
    assert report(db, "start", "m2").deliver
    report(db, "confirm", "m2")
    assert ledger(db) == [(2, "delivered", None, True, False)]


def test_skipped_on_hold_and_moved_the_new_window_has_its_own_reminder(db, reminded):
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1, now() - INTERVAL '3 days')")
    assert report(db, "start").why in ("ON_HOLD", "MOVED")
    db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    run_pipeline(db)
    payloads = db.execute(
        "SELECT payload ->> 'attempt', payload ->> 'window_date' FROM lead_protection.outbox_events"
        " WHERE aggregateid = '1' AND type = %s ORDER BY sequence_number",
        (REMINDER,),
    ).fetchall()
    windows = db.execute("SELECT window_date::text FROM lead_protection.lead_reminders WHERE lead_id = 1").fetchall()
    assert sorted(row[1] for row in payloads) == sorted(row[0] for row in windows)
    assert {row[0] for row in payloads} == {"1"}


def test_a_message_skipped_by_one_and_delivered_by_another_is_delivered(db, reminded):
    """The lease had run out: two mailers had the event."""
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    assert report(db, "start").outcome == "skipped"
    confirmed = report(db, "confirm")
    assert (confirmed.outcome, confirmed.changed, confirmed.retry_at) == ("delivered", True, None)


# --- refused ---

BAD = [
    ("LP001", "start_reminder_delivery(NULL, 7, %(day)s, 'm')"),
    ("LP001", "report_reminder_delivery(1, NULL, %(day)s, 'm', 'delivered')"),
    ("LP001", "report_reminder_delivery(1, 7, NULL, 'm', 'failed', 'x')"),
    ("LP004", "start_reminder_delivery(1, 7, %(day)s, NULL)"),
    ("LP004", "report_reminder_delivery(1, 7, %(day)s, ' ', 'delivered')"),
    ("LP004", "report_reminder_delivery(1, 7, %(day)s, repeat('x', 256), 'delivered')"),
    ("LP004", "report_reminder_delivery(1, 7, %(day)s, 'm', 'failed')"),
    ("LP004", "report_reminder_delivery(1, 7, %(day)s, 'm', 'failed', ' ')"),
    ("LP005", "report_reminder_delivery(1, 7, %(day)s, 'm', 'delivered', occurred_at => '-infinity')"),
    ("LP005", "report_reminder_delivery(1, 7, %(day)s, 'm', 'failed', 'x', 'infinity')"),
    (
        "LP010",
        "report_reminder_delivery(1, 7, %(day)s, 'm', 'delivered', occurred_at => now() + INTERVAL '6 minutes')",
    ),
    ("LP044", "start_reminder_delivery(9, 7, %(day)s, 'm')"),
    ("LP044", "start_reminder_delivery(1, 8, %(day)s, 'm')"),
    ("LP044", "report_reminder_delivery(1, 7, %(day)s::date + 1, 'm', 'delivered')"),
    ("LP044", "report_reminder_delivery(1, 7, 'infinity', 'm', 'failed', 'x')"),
    ("LP063", "report_reminder_delivery(1, 7, %(day)s, 'm', NULL)"),
    ("LP063", "report_reminder_delivery(1, 7, %(day)s, 'm', 'skipped')"),
    ("LP063", "report_reminder_delivery(1, 7, %(day)s, 'm', 'delivered', 'x')"),
]


@pytest.mark.parametrize(("sqlstate", "call"), BAD, ids=[call for _, call in BAD])
def test_bad_reports_are_refused_and_change_nothing(db, reminded, sqlstate, call):
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"SELECT lead_protection.{call}", {"day": window(db)})
    assert refused.value.sqlstate == sqlstate
    assert refused.value.diag.message_hint and refused.value.diag.message_detail
    assert db.execute("SELECT count(*) FROM lead_protection.reminder_deliveries").fetchone() == (0,)
    assert events(db, 1) == [REMINDER]


def test_a_long_error_is_kept_whole(db, reminded):
    report(db, "fail", "m1", "x" * 5000)
    assert len(ledger(db)[0][2]) == 5000


# --- at once ---


@pytest.mark.parametrize(
    ("actions", "outcome"), [(("confirm", "confirm"), "delivered"), (("confirm", "fail"), "failed")]
)
def test_reports_at_the_same_time_count_once_each(db, reminded, connect, wait_until, actions, outcome):
    db.execute("BEGIN; SELECT lead_protection.lock_leads('{1}')")
    changed = []

    def call(action, session, day):
        more = ["x"] if action == "fail" else []
        changed.append((action, report(session, action, "m1", *more, day=day).changed))

    day = window(db)
    threads = [threading.Thread(target=call, args=(action, connect(), day)) for action in actions]
    for thread in threads:
        thread.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with connect() as watcher:
        wait_until(lambda: watcher.execute(waiting).fetchone() == (2,))
    db.execute("COMMIT")
    for thread in threads:
        thread.join(10)
    assert db.execute("SELECT outcome FROM lead_protection.reminder_deliveries").fetchall() == [(outcome,)]
    if outcome == "delivered":
        assert sorted(row[1] for row in changed) == [False, True]
    assert len(events(db, 1)) == 1 + sum(row[1] for row in changed)


@pytest.mark.parametrize(
    "setting",
    [
        "TimeZone = 'Asia/Kolkata'",
        "IntervalStyle = 'iso_8601'",
        "default_transaction_isolation = 'serializable'",
        "search_path = ''",
    ],
)
def test_settings_of_the_session_change_no_report(db, reminded, connect, setting):
    day = window(db)
    session = connect()
    session.execute(f"SET {setting}")
    assert report(session, "start", day=day).deliver
    report(session, "fail", "m1", "x", day=day)
    session.execute("CALL lead_protection.run_protection_pipeline()")
    payload = db.execute(
        "SELECT payload - 'occurred_at' - 'retry_at' FROM lead_protection.outbox_events WHERE type = %s", (FAILED,)
    ).fetchone()[0]
    assert payload == {
        "lead_id": 1,
        "user_id": 7,
        "state": "GRACE",
        "window_date": day.isoformat(),
        "message_id": "m1",
    }
