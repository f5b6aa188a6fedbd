"""Which activities move a clock, and to what."""

from datetime import UTC, datetime

import pytest

from helpers.activity_calls import (
    AFTER_CALL,
    CALL,
    DELETED,
    EXPIRY,
    IDLE,
    REACTIVATION,
    RECORDED,
    REMINDER,
    START,
    TRANSFER,
    activities,
    clock,
    delete,
    instant,
    record,
)
from helpers.calls import call
from helpers.facts import (
    ago,
    drift,
    events,
    insert_holds,
    insert_lead,
    insert_policy,
)
from helpers.jobs import run_pipeline

BASE = "2025-07-15 08:00Z", "2025-07-05 06:00Z"


def state(db):
    """The state of lead 1 now."""
    return db.execute("SELECT state FROM lead_protection.v_user_lead_protection WHERE lead_id = 1").fetchone()[0]


# What the clock shows.
CASES: dict[str, tuple[list[dict], tuple[str, str]]] = {
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
    insert_lead(db, 1, ago(30), policy_id=policy_id)
    db.execute("SELECT lead_protection.assign_user_policy(8, %s, 1)", (policy_id,))
    record(db, ago(20), key="old user's")
    moved = call(db, "transfer_lead", 1, 7, 8, "x", 1)[0]
    for key, user_id, occurred_at in (
        ("old user's, now", 7, datetime.now(UTC)),
        ("new user's, before", 8, ago(1)),
    ):
        answered = record(db, occurred_at, key=key, user_id=user_id)
        assert (answered["user_id"], answered["changed"]) == (8, True)
        assert answered["expires_before"] == answered["expires_after"] == moved["expires_after"]
    answered = record(db, datetime.now(UTC), key="new user's", user_id=8)
    assert answered["expires_after"] > moved["expires_after"]
    assert events(db) == [RECORDED, RECORDED, TRANSFER]
    assert drift(db) == []


# A lead that was given up comes back.
def test_an_activity_reactivates_an_expired_lead(db):
    insert_lead(db, 1, ago(80), policy_id=insert_policy(db, rule="parallel"))
    run_pipeline(db)
    assert (state(db), events(db)) == ("EXPIRED", [EXPIRY])
    answered = record(db, ago(1))
    assert (answered["state_before"], answered["state_after"]) == ("EXPIRED", "PROTECTED")
    assert state(db) == "PROTECTED"
    run_pipeline(db)
    run_pipeline(db)
    assert events(db) == [RECORDED, EXPIRY, REACTIVATION]
    # Taken back, it is free again.
    delete(db)
    run_pipeline(db)
    assert (state(db), events(db)) == ("EXPIRED", [DELETED, RECORDED, EXPIRY, EXPIRY, REACTIVATION])
    assert drift(db) == []


def test_an_activity_reactivates_a_reminded_lead(db):
    insert_lead(db, 1, ago(65), policy_id=insert_policy(db, rule="parallel"))
    run_pipeline(db)
    assert (state(db), events(db)) == ("GRACE", [REMINDER])
    assert record(db, ago(0))["state_after"] == "PROTECTED"
    run_pipeline(db)
    run_pipeline(db)
    assert events(db) == [RECORDED, REACTIVATION, REMINDER]


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
    db.execute("ALTER TABLE lead_protection.lead_extensions DISABLE TRIGGER refuse_delete")
    db.execute("DELETE FROM lead_protection.lead_extensions")
    assert clock(db) == IDLE
