"""Activities: which of them move a clock, to what; calls that are repeated, corrected, taken back or refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from facts import PROTECTED, SHOWN, events, in_utc, insert_holds, insert_lead, insert_lead_of_age, insert_policy
from test_concurrency import at_once, drift, waits_for_a_lock

# 2025-01-15 10:00 in Berlin. Base: + 6 months = 2025-07-15 10:00 summer time. Idle: + 70 days = 2025-03-26 10:00.
START = "2025-01-15 09:00Z"
BASE = "2025-07-15 08:00Z", "2025-07-05 06:00Z"
IDLE = "2025-03-26 09:00Z", "2025-03-16 07:00Z"
# 2025-03-01 13:00 in Berlin; + 70 days = 2025-05-10 13:00, now summer time.
CALL = "2025-03-01 12:00Z"
AFTER_CALL = "2025-05-10 11:00Z", "2025-04-30 06:00Z"

RECORDED, CORRECTED, DELETED, EXPIRY, REMINDER, REACTIVATION, TRANSFER = (
    "lead.activity.recorded",
    "lead.activity.corrected",
    "lead.activity.deleted",
    "lead.protection.expired",
    "lead.protection.reminder",
    "lead.protection.reactivated",
    "lead.protection.transferred",
)
CHANGE = "lead_id, user_id, changed, decided_at, state_before, expires_before, state_after, expires_after"


def instant(text):
    """The instant of a text as above."""
    return datetime.fromisoformat(text)


def record(db, occurred_at=CALL, key="k", kind="QUALIFIED_CALL", user_id=7, lead_id=1, actor_id=5):
    """Call record_lead_activity() and return the answer's columns by name."""
    return answer(db, "record_lead_activity", lead_id, user_id, kind, occurred_at, key, actor_id)


def correct(db, occurred_at=CALL, key="k", kind="QUALIFIED_CALL", reason="wrong day", lead_id=1, actor_id=6):
    """Call correct_lead_activity() and return the answer's columns by name."""
    return answer(db, "correct_lead_activity", lead_id, key, kind, occurred_at, reason, actor_id)


def delete(db, key="k", reason="never was", lead_id=1, actor_id=6):
    """Call delete_lead_activity() and return the answer's columns by name."""
    return answer(db, "delete_lead_activity", lead_id, key, reason, actor_id)


def answer(db, function, *arguments):
    """Call a function by position; one row, as a dict."""
    holders = ", ".join(["%s"] * len(arguments))
    cursor = db.execute(f"SELECT * FROM lead_protection.{function}({holders})", arguments)
    names = [column.name for column in cursor.description]
    return dict(zip(names, cursor.fetchone(), strict=True))


def clock(db, as_of="2025-12-31Z"):
    """Expiry and reminder of lead 1 by the rule at as_of, as texts; at the end the cache must say the same."""
    query = "SELECT protection_expires_at, reminder_due_at FROM lead_protection.{} WHERE lead_id = 1"
    derived = in_utc(db.execute(query.format("protection_as_of(%s)"), (as_of,)).fetchone())
    if as_of == "2025-12-31Z":
        assert in_utc(db.execute(query.format("lead_clocks")).fetchone()) == derived
        assert drift(db) == []
    return tuple(f"{value:%Y-%m-%d %H:%MZ}" for value in derived)


def state(db):
    """The state of lead 1 now."""
    return db.execute("SELECT state FROM lead_protection.v_user_lead_protection WHERE lead_id = 1").fetchone()[0]


def activities(db):
    """All activities, as rows."""
    return db.execute("SELECT * FROM lead_protection.lead_activities ORDER BY id").fetchall()


def days_ago(days):
    """An instant so many days ago."""
    return datetime.now(UTC) - timedelta(days=days)


@pytest.fixture
def parallel(db):
    """A lead of user 7 under the parallel rule, brought in at START; the policy's id."""
    policy_id = insert_policy(db, rule="parallel")
    insert_lead(db, 1, START, policy_id=policy_id)
    assert clock(db) == IDLE
    return policy_id


# What the clock shows.

CASES = {
    "a call restarts the idle clock": ([{}], AFTER_CALL),
    "a late call brings it to the end of the base": ([{"occurred_at": "2025-06-20 07:00Z"}], BASE),
    "the latest counts": ([{"occurred_at": "2025-02-01 12:00Z"}, {}], AFTER_CALL),
    "the latest counts, whenever it is recorded": ([{}, {"occurred_at": "2025-02-01 12:00Z"}], AFTER_CALL),
    # 2025-04-01 12:00 in Berlin: six days after the idle clock had run out; + 70 days.
    "a call after the expiry revives": (
        [{"occurred_at": "2025-04-01 10:00Z"}],
        ("2025-06-10 10:00Z", "2025-05-31 06:00Z"),
    ),
    "a call at the start": ([{"occurred_at": START}], IDLE),
    "a call before the start": ([{"occurred_at": "2025-01-15 08:59Z"}], IDLE),
    "another user's call": ([{"user_id": 8}], IDLE),
    "another user's call after one's own": ([{}, {"user_id": 8, "occurred_at": "2025-03-08 12:00Z"}], AFTER_CALL),
    "an e-mail": ([{"kind": "EMAIL_SENT"}], IDLE),
    "an e-mail after a call": ([{}, {"kind": "EMAIL_SENT", "occurred_at": "2025-03-08 12:00Z"}], AFTER_CALL),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_clock_shows(db, parallel, case):
    calls, expected = CASES[case]
    for number, arguments in enumerate(calls):
        answered = record(db, key=str(number), **arguments)
        assert answered["changed"] is True
    assert clock(db) == expected
    assert answered["expires_after"] == instant(expected[0])
    assert answered["reminder_due_after"] == instant(expected[1])


def test_the_kinds_that_qualify(db, parallel):
    kinds = [row[0] for row in db.execute("SELECT kind FROM lead_protection.activity_kinds")]
    assert len(kinds) == 10
    moving = []
    for kind in kinds:
        record(db, key=kind, kind=kind)
        if clock(db) != IDLE:
            assert clock(db) == AFTER_CALL
            moving.append(kind)
        delete(db, key=kind)
    assert sorted(moving) == [
        "CUSTOMER_REACTION",
        "QUALIFIED_CALL",
        "ROI_PRESENTATION",
        "SAMPLE_FEEDBACK",
        "SCHEDULED_FOLLOWUP",
    ]


def test_a_kind_of_the_companys_own(db, parallel):
    db.execute("INSERT INTO lead_protection.activity_kinds VALUES ('VISIT', true, 'A visit.')")
    record(db, kind="VISIT")
    assert clock(db) == AFTER_CALL


def test_under_the_sequential_rule_no_activity_counts(db):
    insert_lead(db, 1, START)
    # The base's end + 70 days = 2025-09-23 10:00 in Berlin.
    before = "2025-09-23 08:00Z", "2025-09-13 06:00Z"
    assert clock(db) == before
    assert record(db)["changed"] is True
    assert clock(db) == before
    assert (len(activities(db)), events(db)) == (1, [])


def test_it_counts_from_when_it_took_place(db, parallel):
    record(db)
    assert clock(db, "2025-03-01 11:59:59.999999Z") == IDLE
    assert clock(db, CALL) == AFTER_CALL


def test_a_call_during_a_hold_sees_the_rest_of_the_hold(db, parallel):
    insert_holds(db, 1, [("2025-02-01Z", "2025-02-11Z")])
    # Ten days on top of the idle clock, in elapsed time: 2025-04-05 11:00 in Berlin, summer time.
    assert clock(db) == ("2025-04-05 09:00Z", "2025-03-26 07:00Z")
    # 2025-02-05 01:00 in Berlin; + 70 days = 2025-04-16 01:00 summer time; + the six days that were left.
    record(db, "2025-02-05Z")
    assert clock(db) == ("2025-04-21 23:00Z", "2025-04-12 06:00Z")


def test_a_closed_lead_takes_activities_and_only_those_before_the_closing_count(db, parallel):
    db.execute("UPDATE lead_protection.leads SET closed_at = '2025-03-10Z'")
    answered = record(db, "2025-03-10 00:01Z", key="late")
    assert (answered["changed"], answered["state_after"]) == (True, "CLOSED")
    assert answered["expires_after"] == instant(IDLE[0])
    assert events(db) == ["lead.changed"]
    answered = record(db, key="before")
    assert (answered["changed"], answered["state_after"]) == (True, "CLOSED")
    assert (answered["expires_before"], answered["expires_after"]) == (instant(IDLE[0]), instant(AFTER_CALL[0]))
    assert events(db) == [RECORDED, "lead.changed"]
    assert drift(db) == []


def test_after_a_transfer_only_the_new_users_activities_since_count(db):
    policy_id = insert_policy(db, rule="parallel")
    insert_lead(db, 1, days_ago(30), policy_id=policy_id)
    db.execute("SELECT lead_protection.assign_user_policy(8, %s, 1)", (policy_id,))
    record(db, days_ago(20), key="old user's")
    moved = answer(db, "transfer_lead", 1, 7, 8, "x", 1)
    for key, user_id, occurred_at in (
        ("old user's, now", 7, datetime.now(UTC)),
        ("new user's, before", 8, days_ago(1)),
    ):
        answered = record(db, occurred_at, key=key, user_id=user_id)
        assert (answered["user_id"], answered["changed"]) == (8, True)
        assert answered["expires_before"] == answered["expires_after"] == moved["expires_after"]
    answered = record(db, datetime.now(UTC), key="new user's", user_id=8)
    assert answered["expires_after"] > moved["expires_after"]
    assert events(db) == [RECORDED, RECORDED, TRANSFER]
    assert drift(db) == []


# A lead that was given up comes back.


def run(db):
    """Call the pipeline."""
    db.execute("CALL lead_protection.run_protection_pipeline()")


def test_an_activity_reactivates_an_expired_lead(db):
    insert_lead(db, 1, days_ago(80), policy_id=insert_policy(db, rule="parallel"))
    run(db)
    assert (state(db), events(db)) == ("EXPIRED", [EXPIRY])
    answered = record(db, days_ago(1))
    assert (answered["state_before"], answered["state_after"]) == ("EXPIRED", "PROTECTED")
    assert state(db) == "PROTECTED"
    run(db)
    run(db)
    assert events(db) == [RECORDED, EXPIRY, REACTIVATION]
    # Taken back, it is free again.
    delete(db)
    run(db)
    assert (state(db), events(db)) == ("EXPIRED", [DELETED, RECORDED, EXPIRY, EXPIRY, REACTIVATION])
    assert drift(db) == []


def test_an_activity_reactivates_a_reminded_lead(db):
    insert_lead(db, 1, days_ago(65), policy_id=insert_policy(db, rule="parallel"))
    run(db)
    assert (state(db), events(db)) == ("GRACE", [REMINDER])
    assert record(db, days_ago(0))["state_after"] == "PROTECTED"
    run(db)
    run(db)
    assert events(db) == [RECORDED, REACTIVATION, REMINDER]


# What is answered, logged and published.


def test_ledger_answer_log_and_event_tell_the_same(db, parallel):
    answered = record(db)
    (row,) = activities(db)
    assert row[1:7] == (1, 7, "QUALIFIED_CALL", instant(CALL), "k", 5)
    assert row[7:] == (answered["decided_at"], None, None)
    log = db.execute(
        "SELECT lead_id, user_id, occurred_at, actor_id, reason, state_before, expires_before, state_after,"
        " expires_after, details FROM lead_protection.protection_log"
    ).fetchone()
    details = {
        "activity_id": row[0],
        "activity_key": "k",
        "kind": "QUALIFIED_CALL",
        "activity_user_id": 7,
        "activity_occurred_at": "2025-03-01T12:00:00.000000Z",
    }
    expired = ("EXPIRED", instant(IDLE[0]), "EXPIRED", instant(AFTER_CALL[0]))
    assert log == (1, 7, answered["decided_at"], 5, None, *expired, details)
    names = ("lead_id", "user_id", "decided_at", "state_before", "expires_before", "state_after", "expires_after")
    assert tuple(answered[name] for name in names) == (1, 7, log[2], *expired)
    assert (answered["on_hold_before"], answered["on_hold_after"]) == (False, False)
    assert (answered["reminder_due_before"], answered["reminder_due_after"]) == (
        instant(IDLE[1]),
        instant(AFTER_CALL[1]),
    )
    payload = db.execute("SELECT payload FROM lead_protection.outbox_events").fetchone()[0]
    assert payload.items() >= details.items()
    assert events(db) == [RECORDED]


def test_what_moves_nothing_is_not_logged(db, parallel):
    record(db)
    for number, arguments in enumerate(
        [{"occurred_at": "2025-02-01Z"}, {"kind": "EMAIL_SENT"}, {"user_id": 8, "occurred_at": "2025-04-01Z"}]
    ):
        answered = record(db, key=str(number), **arguments)
        assert answered["changed"] is True
        assert answered["expires_before"] == answered["expires_after"]
    assert (len(activities(db)), events(db)) == (4, [RECORDED])


def test_no_setting_of_the_session_is_in_what_is_stored(db, parallel):
    for setting in ("TimeZone = 'Pacific/Auckland'", "DateStyle = 'SQL, DMY'", "standard_conforming_strings = off"):
        db.execute(f"SET {setting}")
    for call in (
        f"record_lead_activity(1, 7, 'QUALIFIED_CALL', '{CALL}', 'k', 5)",
        "correct_lead_activity(1, 'k', 'QUALIFIED_CALL', '2025-02-20 08:30Z', 'x', 5)",
        "delete_lead_activity(1, 'k', 'x', 5)",
    ):
        assert db.execute(f"SELECT changed FROM lead_protection.{call}").fetchone() == (True,)
    texts = db.execute(
        "SELECT type, payload ->> 'activity_occurred_at_before', payload ->> 'activity_occurred_at'"
        " FROM lead_protection.outbox_events ORDER BY type DESC"
    ).fetchall()
    call, earlier = "2025-03-01T12:00:00.000000Z", "2025-02-20T08:30:00.000000Z"
    assert texts == [(RECORDED, None, call), (DELETED, None, earlier), (CORRECTED, call, earlier)]


# Repeated calls.


def test_the_same_key_is_the_same_activity(db, parallel):
    first = record(db)
    before = activities(db)
    again = record(db, actor_id=9)
    assert (first["changed"], again["changed"]) == (True, False)
    assert again["expires_before"] == again["expires_after"] == first["expires_after"]
    assert (activities(db), events(db)) == (before, [RECORDED])


def test_the_key_is_the_leads(db, parallel):
    insert_lead(db, 2, START, policy_id=parallel)
    assert record(db)["changed"] and record(db, lead_id=2, user_id=8, kind="EMAIL_SENT")["changed"]


@pytest.mark.parametrize(
    "other", [{"user_id": 8}, {"kind": "EMAIL_SENT"}, {"occurred_at": "2025-03-01 12:00:00.000001Z"}]
)
def test_a_key_used_for_something_else_is_refused(db, parallel, other):
    record(db)
    before = activities(db)
    with pytest.raises(psycopg.Error) as refused:
        record(db, **other)
    assert refused.value.sqlstate == "LP020"
    assert refused.value.diag.message_hint
    assert refused.value.diag.message_detail == ("It is a QUALIFIED_CALL of user 7 at 2025-03-01T12:00:00.000000Z.")
    assert (activities(db), events(db)) == (before, [RECORDED])


@pytest.mark.parametrize("other", [{}, {"user_id": 8, "kind": "EMAIL_SENT", "occurred_at": "2025-02-02Z"}])
def test_a_replay_undoes_no_correction_and_no_deletion(db, parallel, other):
    record(db)
    correct(db, "2025-02-20 08:30Z")
    assert record(db, **other)["changed"] is False
    assert clock(db) == AFTER_CORRECTION
    delete(db)
    assert record(db, **other)["changed"] is False
    assert clock(db) == IDLE
    assert (len(activities(db)), events(db)) == (1, [CORRECTED, DELETED, RECORDED])


def test_a_replay_of_what_was_deleted_uncorrected(db, parallel):
    record(db)
    delete(db)
    for other in ({}, {"user_id": 8}):
        assert record(db, **other)["changed"] is False
    assert clock(db) == IDLE


# Fast clocks.


def test_a_moment_ahead_is_now(db):
    insert_lead(db, 1, days_ago(10), policy_id=insert_policy(db, rule="parallel"))
    ahead = days_ago(0) + timedelta(minutes=4)
    answered = record(db, ahead)
    (row,) = activities(db)
    assert row[4] == row[7] == answered["decided_at"] < ahead
    # The rule at the instant of the decision counts it.
    derived = db.execute(
        "SELECT protection_expires_at FROM lead_protection.protection_as_of(%s)", (answered["decided_at"],)
    ).fetchone()
    assert derived == (answered["expires_after"],)
    # The same again, and the correction to what was given, are nothing new.
    assert record(db, ahead)["changed"] is False
    assert correct(db, ahead)["changed"] is False
    assert activities(db) == [row]


def test_a_correction_to_a_moment_ahead_is_now(db):
    insert_lead(db, 1, days_ago(10), policy_id=insert_policy(db, rule="parallel"))
    record(db, days_ago(1))
    ahead = days_ago(0) + timedelta(minutes=4)
    answered = correct(db, ahead)
    (row,) = activities(db)
    assert row[4] == row[8] == answered["decided_at"] < ahead
    assert correct(db, ahead)["changed"] is False
    assert activities(db) == [row]


@pytest.mark.parametrize(("minutes", "same"), [(0, True), (5, True), (6, False), (-1, False)])
def test_what_a_fast_clock_recorded_is_not_every_later_instant(db, parallel, minutes, same):
    """Recorded as of then: given at the instant of recording, or ahead of it within the skew."""
    record(db)
    db.execute("UPDATE lead_protection.lead_activities SET recorded_at = occurred_at")
    given = instant(CALL) + timedelta(minutes=minutes)
    if same:
        assert record(db, given)["changed"] is False
    else:
        with pytest.raises(psycopg.Error) as refused:
            record(db, given)
        assert refused.value.sqlstate == "LP020"
    assert correct(db, given)["changed"] is not same


def test_a_row_by_hand_is_checked_too(db, parallel):
    insert = (
        "INSERT INTO lead_protection.lead_activities (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)"
        " VALUES (1, 7, 'QUALIFIED_CALL', clock_timestamp() + %s * INTERVAL '1 minute', 'k', 1)"
    )
    update = "UPDATE lead_protection.lead_activities SET occurred_at = clock_timestamp() + %s * INTERVAL '1 minute'"
    with pytest.raises(psycopg.Error) as refused:
        db.execute(insert, (6,))
    assert refused.value.sqlstate == "LP010"
    ahead = "SELECT occurred_at > clock_timestamp() FROM lead_protection.lead_activities"
    db.execute(insert, (4,))
    assert db.execute(ahead).fetchall() == [(False,)]
    with pytest.raises(psycopg.Error) as refused:
        db.execute(update, (6,))
    assert refused.value.sqlstate == "LP010"
    db.execute(update, (4,))
    assert db.execute(ahead).fetchall() == [(False,)]


# Corrected and deleted.

# 2025-02-20 09:30 in Berlin; + 70 days = 2025-05-01 09:30, summer time.
AFTER_CORRECTION = "2025-05-01 07:30Z", "2025-04-21 06:00Z"


def test_a_corrected_instant(db, parallel):
    record(db)
    answered = correct(db, "2025-02-20 08:30Z")
    assert (answered["changed"], answered["expires_before"], answered["expires_after"]) == (
        True,
        instant(AFTER_CALL[0]),
        instant(AFTER_CORRECTION[0]),
    )
    assert clock(db) == AFTER_CORRECTION
    # It counts as if it had always been so.
    assert clock(db, "2025-02-20 08:30Z") == AFTER_CORRECTION
    (row,) = activities(db)
    assert (row[3], row[4], row[6]) == ("QUALIFIED_CALL", instant("2025-02-20 08:30Z"), 5)
    assert row[8:] == (answered["decided_at"], None)
    log = db.execute(
        "SELECT occurred_at, actor_id, reason, expires_before, expires_after, details"
        " FROM lead_protection.protection_log WHERE event_type = %s",
        (CORRECTED,),
    ).fetchall()
    details = {
        "activity_id": row[0],
        "activity_key": "k",
        "activity_user_id": 7,
        "kind_before": "QUALIFIED_CALL",
        "kind": "QUALIFIED_CALL",
        "activity_occurred_at_before": "2025-03-01T12:00:00.000000Z",
        "activity_occurred_at": "2025-02-20T08:30:00.000000Z",
    }
    expiries = answered["expires_before"], answered["expires_after"]
    assert log == [(answered["decided_at"], 6, "wrong day", *expiries, details)]


def test_a_corrected_kind(db, parallel):
    record(db)
    correct(db, kind="EMAIL_SENT")
    assert clock(db) == IDLE
    correct(db, kind="SAMPLE_FEEDBACK")
    assert clock(db) == AFTER_CALL
    assert events(db) == [CORRECTED, CORRECTED, RECORDED]


def test_a_correction_is_logged_even_if_it_moves_nothing(db, parallel):
    record(db, user_id=8)
    answered = correct(db, "2025-02-20 08:30Z")
    assert (answered["changed"], answered["user_id"]) == (True, 7)
    assert answered["expires_before"] == answered["expires_after"] == instant(IDLE[0])
    assert events(db) == [CORRECTED]


def test_a_repeated_correction_changes_nothing(db, parallel):
    record(db)
    assert correct(db)["changed"] is False
    assert correct(db, "2025-02-20 08:30Z", kind="SAMPLE_FEEDBACK")["changed"] is True
    before = activities(db)
    assert correct(db, "2025-02-20 08:30Z", kind="SAMPLE_FEEDBACK", reason="y")["changed"] is False
    assert (activities(db), events(db)) == (before, [CORRECTED, RECORDED])


def test_a_deleted_activity_counts_no_more(db, parallel):
    record(db, "2025-02-20 08:30Z", key="first")
    record(db)
    answered = delete(db)
    assert (answered["changed"], answered["expires_before"], answered["expires_after"]) == (
        True,
        instant(AFTER_CALL[0]),
        instant(AFTER_CORRECTION[0]),
    )
    assert clock(db) == AFTER_CORRECTION
    row = activities(db)[1]
    assert row[9] == answered["decided_at"]
    log = db.execute(
        "SELECT actor_id, reason, details FROM lead_protection.protection_log WHERE event_type = %s", (DELETED,)
    ).fetchall()
    details = {
        "activity_id": row[0],
        "activity_key": "k",
        "kind": "QUALIFIED_CALL",
        "activity_user_id": 7,
        "activity_occurred_at": "2025-03-01T12:00:00.000000Z",
    }
    assert log == [(6, "never was", details)]
    before = activities(db)
    again = delete(db, reason="y")
    assert (again["changed"], again["expires_before"]) == (False, instant(AFTER_CORRECTION[0]))
    assert (activities(db), events(db)) == (before, [DELETED, RECORDED, RECORDED])


def test_what_was_deleted_cannot_be_corrected(db, parallel):
    record(db)
    delete(db)
    for occurred_at in (CALL, "2025-02-20 08:30Z"):
        with pytest.raises(psycopg.Error) as refused:
            correct(db, occurred_at)
        assert refused.value.sqlstate == "LP022"
        assert "deleted at" in refused.value.diag.message_detail and refused.value.diag.message_hint


# Refused.

GOOD = {
    "record_lead_activity": (1, 7, "'QUALIFIED_CALL'", f"'{CALL}'", "'new'", 5),
    "correct_lead_activity": (1, "'k'", "'EMAIL_SENT'", f"'{CALL}'", "'x'", 5),
    "delete_lead_activity": (1, "'k'", "'x'", 5),
}
RECORD, CORRECT, DELETE = GOOD
REFUSED = [
    *((RECORD, place, "NULL", "LP001") for place in range(6)),
    (RECORD, 0, "99", "LP002"),
    (RECORD, 4, "''", "LP004"),
    (RECORD, 4, "E' \\t\\n'", "LP004"),
    (RECORD, 4, "repeat('x', 256)", "LP004"),
    (RECORD, 3, "'infinity'", "LP005"),
    (RECORD, 3, "'-infinity'", "LP005"),
    (RECORD, 3, "'1899-12-31 23:59Z'", "LP005"),
    (RECORD, 3, "'3000-01-01Z'", "LP005"),
    (RECORD, 3, "now() + INTERVAL '6 minutes'", "LP010"),
    (RECORD, 2, "'CALL'", "LP021"),
    (RECORD, 2, "'qualified_call'", "LP021"),
    *((CORRECT, place, "NULL", "LP001") for place in (0, 1, 2, 3, 5)),
    (CORRECT, 4, "NULL", "LP004"),
    (CORRECT, 4, "' '", "LP004"),
    (CORRECT, 4, "repeat('x', 256)", "LP004"),
    (CORRECT, 0, "99", "LP002"),
    (CORRECT, 3, "'infinity'", "LP005"),
    (CORRECT, 3, "'1899-12-31 23:59Z'", "LP005"),
    (CORRECT, 3, "now() + INTERVAL '6 minutes'", "LP010"),
    (CORRECT, 2, "'CALL'", "LP021"),
    (CORRECT, 1, "'other'", "LP022"),
    (CORRECT, 0, "2", "LP022"),
    *((DELETE, place, "NULL", "LP001") for place in (0, 1, 3)),
    (DELETE, 2, "NULL", "LP004"),
    (DELETE, 2, "' '", "LP004"),
    (DELETE, 2, "repeat('x', 256)", "LP004"),
    (DELETE, 0, "99", "LP002"),
    (DELETE, 1, "'other'", "LP022"),
    (DELETE, 0, "2", "LP022"),
]


@pytest.mark.parametrize(("function", "place", "value", "sqlstate"), REFUSED)
def test_refused(db, parallel, function, place, value, sqlstate):
    insert_lead(db, 2, START)
    record(db)
    before = activities(db)
    arguments = list(GOOD[function])
    arguments[place] = value
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"SELECT lead_protection.{function}({', '.join(map(str, arguments))})")
    assert refused.value.sqlstate == sqlstate
    assert refused.value.diag.message_detail and refused.value.diag.message_hint
    assert (activities(db), events(db)) == (before, [RECORDED])
    # Without the one wrong argument it passes.
    db.execute(f"SELECT lead_protection.{function}({', '.join(map(str, GOOD[function]))})")
    assert activities(db) != before


def test_longest_key(db, parallel):
    assert record(db, key="x" * 255)["changed"] is True


@pytest.mark.parametrize("change", ["qualifies = true", "kind = 'MAIL'"])
def test_a_kind_keeps_its_meaning(db, change):
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"UPDATE lead_protection.activity_kinds SET {change} WHERE kind = 'EMAIL_SENT'")
    assert refused.value.sqlstate == "LP011"
    assert refused.value.diag.message_detail and refused.value.diag.message_hint
    db.execute(
        "UPDATE lead_protection.activity_kinds SET description = 'x', qualifies = false WHERE kind = 'EMAIL_SENT'"
    )
    kind = db.execute("SELECT qualifies, description FROM lead_protection.activity_kinds WHERE kind = 'EMAIL_SENT'")
    assert kind.fetchall() == [(False, "x")]


# The cache follows rows, however they came.


def test_rows_by_hand_reach_the_cache(db, parallel):
    insert_lead(db, 2, START, policy_id=parallel)
    db.execute(
        "INSERT INTO lead_protection.lead_activities (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)"
        " SELECT n, 7, 'QUALIFIED_CALL', %s, 'k', 1 FROM generate_series(1, 2) AS n",
        (CALL,),
    )
    assert clock(db) == AFTER_CALL
    db.execute("UPDATE lead_protection.lead_activities SET activity_key = lead_id::text, lead_id = 2")
    assert clock(db) == IDLE
    db.execute("UPDATE lead_protection.lead_activities SET lead_id = 1 WHERE activity_key = '1'")
    assert clock(db) == AFTER_CALL
    db.execute("DELETE FROM lead_protection.lead_activities WHERE lead_id = 1")
    assert clock(db) == IDLE


def test_extensions_by_hand_reach_the_cache(db, parallel):
    db.execute(
        "INSERT INTO lead_protection.lead_extensions"
        " (lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key)"
        " VALUES (1, 7, 10, 'x', 1, 1, '2025-02-01Z', 'k')"
    )
    # Ten days on the idle clock: 2025-04-05 10:00 in Berlin, summer time.
    assert clock(db) == ("2025-04-05 08:00Z", "2025-03-26 07:00Z")
    # Append-only; but what a superuser forces must not leave the cache behind.
    db.execute("ALTER TABLE lead_protection.lead_extensions DISABLE TRIGGER refuse_change")
    db.execute("UPDATE lead_protection.lead_extensions SET days = 11")
    assert clock(db) == ("2025-04-06 08:00Z", "2025-03-27 07:00Z")
    db.execute("DELETE FROM lead_protection.lead_extensions")
    assert clock(db) == IDLE


# Several sessions at once.

SAME = f"SELECT {CHANGE} FROM lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', '{CALL}', 'k', 5)"


def test_eight_sessions_record_the_same(db, connect, parallel):
    answers = at_once([connect() for _ in range(8)], SAME)
    assert sorted(row[2] for row in answers) == [False] * 7 + [True]
    assert {row[7] for row in answers} == {instant(AFTER_CALL[0])}
    assert (len(activities(db)), events(db)) == (1, [RECORDED])
    assert clock(db) == AFTER_CALL


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_repeated_call_waits_for_the_first(db, connect, wait_until, parallel, end):
    first, second = connect(autocommit=False), connect()
    record(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(record, second)
        wait_until(lambda: waits_for_a_lock(db, second))
        getattr(first, end)()
        assert answered.result(timeout=10)["changed"] is (end == "rollback")
    assert (len(activities(db)), events(db)) == (1, [RECORDED])
    assert clock(db) == AFTER_CALL


def test_activities_of_two_sessions_both_count(db, connect, wait_until, parallel):
    """The one that waits is the earlier: it must not set the clock back."""
    first, second = connect(autocommit=False), connect()
    record(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(record, second, "2025-02-20 08:30Z", "earlier")
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        answered = answered.result(timeout=10)
    assert answered["expires_before"] == answered["expires_after"] == instant(AFTER_CALL[0])
    assert clock(db) == AFTER_CALL
    assert events(db) == [RECORDED]


def test_a_deletion_waits_for_a_deletion(db, connect, wait_until, parallel):
    record(db)
    first, second = connect(autocommit=False), connect()
    delete(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(delete, second)
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        answered = answered.result(timeout=10)
    assert (answered["changed"], answered["expires_before"]) == (False, instant(IDLE[0]))
    assert events(db) == [DELETED, RECORDED]


def test_a_correction_waits_for_a_deletion(db, connect, wait_until, parallel):
    record(db)
    first, second = connect(autocommit=False), connect()
    delete(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(correct, second, "2025-02-20 08:30Z")
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        with pytest.raises(psycopg.Error) as refused:
            answered.result(timeout=10)
    assert refused.value.sqlstate == "LP022"
    assert clock(db) == IDLE


def test_an_old_transaction_decides_on_what_is_now(db, connect):
    """Its now() lies before the activity that it is told of, which is not ahead of anything."""
    insert_lead(db, 1, days_ago(10), policy_id=insert_policy(db, rule="parallel"))
    old = connect(autocommit=False)
    began = old.execute("SELECT now()").fetchone()[0]
    given = db.execute("SELECT clock_timestamp()").fetchone()[0]
    answered = record(old, given)
    assert answered["decided_at"] > given > began
    old.commit()
    assert activities(db)[0][4] == given


# Rights and plans.


def test_application_and_operator_record(db, connect, parallel):
    insert_lead(db, 2, START, policy_id=parallel)
    for group in ("app", "operator"):
        session = connect()
        session.execute(f"SET SESSION AUTHORIZATION lead_protection_{group}")
        assert record(session, key=group)["changed"]
        assert correct(session, "2025-02-20 08:30Z", key=group)["changed"]
        assert delete(session, key=group)["changed"]
        for table in ("activity_kinds", "lead_activities"):
            session.execute(f"SELECT * FROM lead_protection.{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("DELETE FROM lead_protection.lead_activities")
    session = connect()
    session.execute("SET SESSION AUTHORIZATION lead_protection_monitor")
    for call in (record, correct, delete):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            call(session)


def test_a_session_that_met_empty_tables_keeps_no_plan_for_them(db):
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("ANALYZE")
    record(db, days_ago(1))
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT n, 7, now() - INTERVAL '100 days' FROM generate_series(2, 2001) AS n;"
        "INSERT INTO lead_protection.lead_activities (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)"
        " SELECT n, 7, 'QUALIFIED_CALL', now() - INTERVAL '2 days', 'x', 1 FROM generate_series(2, 2001) AS n"
    )
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    occurred_at = days_ago(1)
    answers = [record(db, occurred_at, lead_id=2) for _ in range(2)]
    assert [answered["changed"] for answered in answers] == [True, False]
    db.execute("SELECT pg_stat_force_next_flush()")
    read = db.execute(
        "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'lead_protection'"
        " AND relname <> 'protection_policies' AND seq_tup_read > 0"
    ).fetchall()
    assert read == []


def test_the_view_shows_what_was_answered(db):
    insert_lead(db, 1, days_ago(50), policy_id=insert_policy(db, rule="parallel"))
    answered = record(db, days_ago(20))
    shown = db.execute(f"SELECT {SHOWN} FROM lead_protection.v_user_lead_protection").fetchone()
    assert shown == tuple(
        answered[name] for name in ("expires_after", "state_after", "on_hold_after", "reminder_due_after")
    )
    assert shown[1] == "PROTECTED"
