"""Calls for activities: answered, logged, repeated, corrected, taken back, refused."""

from datetime import timedelta

import psycopg
import pytest

from helpers.activity_calls import (
    AFTER_CALL,
    CALL,
    CORRECTED,
    DELETED,
    IDLE,
    RECORDED,
    START,
    activities,
    clock,
    correct,
    delete,
    instant,
    record,
)
from helpers.facts import (
    PROTECTED,
    SHOWN,
    ago,
    events,
    insert_lead,
    insert_lead_of_age,
    insert_policy,
)


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
    calls: list[dict] = [
        {"occurred_at": "2025-02-01Z"},
        {"kind": "EMAIL_SENT"},
        {"user_id": 8, "occurred_at": "2025-04-01Z"},
    ]
    for number, arguments in enumerate(calls):
        answered = record(db, key=str(number), **arguments)
        assert answered["changed"] is True
        assert answered["expires_before"] == answered["expires_after"]
    assert (len(activities(db)), events(db)) == (4, [RECORDED])


def test_no_setting_of_the_session_is_in_what_is_stored(db, parallel):
    for setting in ("TimeZone = 'Pacific/Auckland'", "DateStyle = 'SQL, DMY'", "standard_conforming_strings = off"):
        db.execute(f"SET {setting}")
    for invocation in (
        f"record_lead_activity(1, 7, 'QUALIFIED_CALL', '{CALL}', 'k', 5)",
        "correct_lead_activity(1, 'k', 'QUALIFIED_CALL', '2025-02-20 08:30Z', 'x', 5)",
        "delete_lead_activity(1, 'k', 'x', 5)",
    ):
        assert db.execute(f"SELECT changed FROM lead_protection.{invocation}").fetchone() == (True,)
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
    insert_lead(db, 1, ago(10), policy_id=insert_policy(db, rule="parallel"))
    ahead = ago(0) + timedelta(minutes=4)
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
    insert_lead(db, 1, ago(10), policy_id=insert_policy(db, rule="parallel"))
    record(db, ago(1))
    ahead = ago(0) + timedelta(minutes=4)
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
        assert "deleted at" in str(refused.value.diag.message_detail) and refused.value.diag.message_hint


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
    for work in (record, correct, delete):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            work(session)


@pytest.mark.slow("thousands of activities")
def test_a_session_that_met_empty_tables_keeps_no_plan_for_them(db):
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("ANALYZE")
    record(db, ago(1))
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT n, 7, now() - INTERVAL '100 days' FROM generate_series(2, 2001) AS n;"
        "INSERT INTO lead_protection.lead_activities (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)"
        " SELECT n, 7, 'QUALIFIED_CALL', now() - INTERVAL '2 days', 'x', 1 FROM generate_series(2, 2001) AS n"
    )
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    occurred_at = ago(1)
    answers = [record(db, occurred_at, lead_id=2) for _ in range(2)]
    assert [answered["changed"] for answered in answers] == [True, False]
    db.execute("SELECT pg_stat_force_next_flush()")
    read = db.execute(
        "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'lead_protection'"
        " AND relname <> 'protection_policies' AND seq_tup_read > 0"
    ).fetchall()
    assert read == []


def test_the_view_shows_what_was_answered(db):
    insert_lead(db, 1, ago(50), policy_id=insert_policy(db, rule="parallel"))
    answered = record(db, ago(20))
    shown = db.execute(f"SELECT {SHOWN} FROM lead_protection.v_user_lead_protection").fetchone()
    assert shown == tuple(
        answered[name] for name in ("expires_after", "state_after", "on_hold_after", "reminder_due_after")
    )
    assert shown[1] == "PROTECTED"
