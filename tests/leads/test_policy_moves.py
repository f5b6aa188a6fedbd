"""A lead is moved to another policy: its clock is counted anew from its start."""

from datetime import datetime, timedelta

import pytest

from helpers.calls import call_row, make_policy
from helpers.facts import events, insert_lead, insert_lead_of_age
from helpers.lead_calls import BERLIN, EXPIRY, START, as_of, check, did, moved, proved, refused_unchanged, shown
from helpers.project import cases
from helpers.rows import written

MANY = cases(5000, usual=1000, fast=1000)

# --- Policy moves ----------------------------------------------------------------------------------------------------


def test_a_move_counts_the_clock_anew_from_its_start(db, long):
    theirs = make_policy(db, "theirs", base_months=599, extension_days=30, grace_days=5, reminder_time="18:00")
    (answer,) = moved(db, [1], theirs).values()
    check(db, answer, "lead.protection.moved", details={"policy_id_before": long, "policy_id": theirs})
    # 31 December 2073, and 31 and 4 days.
    assert answer["expires_after"] == datetime(2074, 2, 4, 10, 0, tzinfo=BERLIN)
    assert answer["reminder_due_after"] == datetime(2074, 1, 30, 18, 0, tzinfo=BERLIN)
    at = answer["decided_at"]
    assert as_of(db, at - timedelta(microseconds=1)) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, at) == (7, "PROTECTED", answer["expires_after"])
    assert db.execute("SELECT * FROM lead_protection.lead_history").fetchall() == [(1, at, 7, long, START, None)]
    before = written(db)
    assert [again["changed"] for again in moved(db, [1], theirs).values()] == [False]
    assert written(db) == before


def test_free_and_closed_leads_stay(db):
    for lead_id, days in enumerate((100, 249, 300, 100), start=1):
        insert_lead_of_age(db, lead_id, days)
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 4")
    answers = moved(db, [4, 3, 2, 1, 1], make_policy(db, "longer", base_months=60))
    assert list(answers) == [1, 2, 3, 4]
    assert [answer["changed"] for answer in answers.values()] == [True, True, False, False]
    assert [answer["state_after"] for answer in answers.values()] == ["PROTECTED", "PROTECTED", "EXPIRED", "CLOSED"]
    assert events(db) == ["lead.changed", "lead.protection.moved", "lead.protection.moved"]
    assert moved(db, [], 1) == {}
    proved(db)


def test_a_move_may_end_a_protection_at_once(db):
    insert_lead_of_age(db, 1, 100)
    call_row(db, "create_lead_hold(1, 7, 'x', 5)")
    (answer,) = moved(db, [1], make_policy(db, "short", base_months=1, extension_days=1, grace_days=1)).values()
    assert (answer["state_before"], answer["on_hold_before"]) == ("PROTECTED", True)
    assert (answer["state_after"], answer["on_hold_after"]) == ("EXPIRED", False)
    assert did(db) == {"expiries": 1}
    # Expired, it stays where it is.
    assert [again["changed"] for again in moved(db, [1], 1).values()] == [False]


def test_a_move_to_a_policy_that_requires_a_notice(db):
    """Its time would have run out long ago; nobody was reminded, so it is due and ends ten days after the reminder."""
    insert_lead_of_age(db, 1, 100)
    noticed = make_policy(db, "noticed", base_months=1, extension_days=1, time_zone="UTC", notice_required=True)
    (answer,) = moved(db, [1], noticed).values()
    assert (answer["state_after"], answer["expires_after"]) == (
        "REMINDER_DUE",
        answer["decided_at"] + timedelta(days=10),
    )
    assert did(db) == {"reminders": 1}
    now = shown(db)
    assert (now["state"], now["protection_expires_at"]) == ("GRACE", now["reminded_at"] + timedelta(days=10))
    assert did(db) == {}


@pytest.mark.slow("thousands of leads")
def test_thousands_of_leads_in_one_call(db):
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n, n %% 50, now() - %s * INTERVAL '1 day', now() FROM generate_series(1, %s) AS n",
        (100, MANY),
    )
    answers = moved(db, list(range(MANY, 0, -1)), make_policy(db, "longer", base_months=60))
    assert list(answers) == list(range(1, MANY + 1))
    assert all(answer["changed"] and answer["expires_after"] > answer["expires_before"] for answer in answers.values())
    assert events(db) == ["lead.protection.moved"] * MANY
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (MANY,)
    proved(db)


def test_a_move_is_all_or_nothing(db, long):
    insert_lead(db, 2, START)
    refused_unchanged(db, "LP002", "move_leads_to_policy('{1,2,3}', 1, 'x', 5)")
