"""A lead that was closed by mistake for months: the time closed counts as a stop, for the same user."""

from datetime import timedelta

import psycopg
import pytest

from helpers.calls import call, call_row, make_policy, row, rows
from helpers.facts import EXPIRED, PROTECTED, ago, drift, events, insert_lead, insert_lead_of_age
from helpers.hold_calls import span
from helpers.lead_calls import as_of, did, logged, payload, proved, refused_unchanged, shown, unchanged

VOID = "void_lead_closing(1, 7, 'a slip', 5)"


@pytest.fixture
def closed(db):
    """A lead that began 300 days ago and was closed 200 days ago: by now it would have expired."""
    insert_lead_of_age(db, 1, EXPIRED)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(200),))
    return db


def hold(db) -> dict:
    return row(db, "SELECT * FROM lead_protection.lead_holds")


def test_the_time_closed_counts_as_a_stop(closed):
    would_expire = shown(closed)["protection_expires_at"]
    closed_at = shown(closed)["closed_at"]
    answer = call_row(closed, VOID)
    assert (answer["changed"], answer["state_before"], answer["state_after"]) == (True, "CLOSED", "PROTECTED")
    reopened_at = logged(closed, "lead.reopened")["occurred_at"]
    assert answer["expires_after"] == would_expire + (reopened_at - closed_at)
    now = shown(closed)
    assert (now["user_id"], now["state"], now["closed_at"]) == (7, "PROTECTED", None)
    assert now["protection_expires_at"] == answer["expires_after"]
    kept = hold(closed)
    assert (kept["reason"], kept["reason_code"]) == ("a slip", "CLOSED_BY_MISTAKE")
    assert (kept["start_at"], kept["end_at"], kept["created_by"]) == (closed_at, reopened_at, 5)
    assert events(closed) == ["lead.changed", "lead.hold.created", "lead.reopened"]
    assert logged(closed, "lead.hold.created")["reason"] == "a slip"
    told = payload(closed, "lead.hold.created")
    assert (told["hold_id"], told["state"], told["actor_id"]) == (kept["id"], "PROTECTED", 5)
    proved(closed)


def test_it_is_explained_and_asked_about_for_any_instant(closed):
    closed_at = shown(closed)["closed_at"]
    call_row(closed, VOID)
    reopened_at = logged(closed, "lead.reopened")["occurred_at"]
    looks = [closed_at - timedelta(microseconds=1), closed_at, ago(1), reopened_at]
    assert [as_of(closed, instant)[1] for instant in looks] == ["PROTECTED", "CLOSED", "CLOSED", "PROTECTED"]
    (step,) = [s for s in rows(closed, "SELECT * FROM lead_protection.explain_protection(1)") if s["item"] == "HOLD"]
    assert (step["fact_id"], step["from_at"], step["until_at"]) == (hold(closed)["id"], closed_at, reopened_at)
    assert step["explanation"].startswith("Counted in full: 200 days")
    assert step["expires_at"] == shown(closed)["protection_expires_at"]


def test_a_lead_that_was_reopened_and_has_expired_comes_back(closed):
    """Reopened without it, the closed time counts, and the lead is lost to its user."""
    assert call_row(closed, "reopen_lead(1, 7, 'because', 5)")["state_after"] == "EXPIRED"
    assert did(closed) == {"expiries": 1}
    answer = call_row(closed, VOID)
    assert (answer["changed"], answer["state_before"], answer["state_after"]) == (True, "EXPIRED", "PROTECTED")
    assert did(closed) == {"reactivations": 1}
    assert drift(closed) == []


def test_repeated_it_changes_nothing(closed):
    call_row(closed, VOID)
    unchanged(closed, VOID)


def test_voided_it_can_be_entered_again(closed):
    call_row(closed, VOID)
    call(closed, "void_lead_hold", hold(closed)["id"], 1, "no slip at all", 5)
    assert shown(closed)["state"] == "EXPIRED"
    assert call_row(closed, VOID)["state_after"] == "PROTECTED"


def test_one_that_had_expired_before_it_was_closed_stays_expired(db):
    insert_lead_of_age(db, 1, EXPIRED)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(10),))
    answer = call_row(db, VOID)
    assert (answer["changed"], answer["state_after"]) == (True, "EXPIRED")


def test_an_open_hold_ended_with_the_closing_and_stays_so(db):
    """The stop goes on over the closed time, once; the clock runs from the reopening on."""
    insert_lead_of_age(db, 1, PROTECTED)
    before = shown(db)["protection_expires_at"]
    start_at = call(db, "create_lead_hold", 1, 7, "x", 5, ago(30))[0]["start_at"]
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(20),))
    answer = call_row(db, VOID)
    reopened_at = logged(db, "lead.reopened")["occurred_at"]
    assert answer["on_hold_after"] is False
    assert answer["expires_after"] == before + (reopened_at - start_at)
    proved(db)


def test_it_uses_up_no_limit_of_holds(db):
    policy_id = make_policy(db, "limited", base_months=12, hold_total_limit_days=10, hold_limit_days=10)
    insert_lead(db, 1, ago(100), policy_id=policy_id)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(50),))
    call_row(db, VOID)
    (answer,) = call(db, "create_lead_hold", 1, 7, "x", 5, *span(1, 11))
    assert answer["created"] and answer["end_at"] - answer["start_at"] == timedelta(days=10)


def test_only_the_closing_of_the_present_protection(db):
    insert_lead_of_age(db, 1, PROTECTED)
    call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")
    call_row(db, "reopen_lead(1, 7, 'x', 5)")
    call_row(db, "transfer_lead(1, 7, 8, 'x', 5)")
    refused_unchanged(db, "LP003", VOID)
    refused_unchanged(db, "LP076", "void_lead_closing(1, 8, 'a slip', 5)")


@pytest.mark.parametrize(
    ("sqlstate", "invocation"),
    [
        ("LP001", "void_lead_closing(NULL, 7, 'x', 5)"),
        ("LP001", "void_lead_closing(1, NULL, 'x', 5)"),
        ("LP001", "void_lead_closing(1, 7, 'x', NULL)"),
        ("LP002", "void_lead_closing(99, 7, 'x', 5)"),
        ("LP003", "void_lead_closing(1, 8, 'x', 5)"),
        ("LP004", "void_lead_closing(1, 7, ' ', 5)"),
        ("LP028", "void_lead_closing(2, 7, 'x', 5)"),
        ("LP064", "void_lead_closing(3, 7, 'x', 5)"),
        ("LP076", "void_lead_closing(4, 7, 'x', 5)"),
    ],
)
def test_what_makes_no_sense_is_refused(closed, sqlstate, invocation):
    for lead_id in (2, 3, 4):
        insert_lead_of_age(closed, lead_id, PROTECTED)
    call_row(closed, "delete_lead(2, 7, 'x', 5)")
    call_row(closed, "give_back_lead(3, 7, 'x', 5)")
    refused_unchanged(closed, sqlstate, invocation)


def test_it_is_for_operators(closed, connect):
    app = connect()
    app.execute("SET ROLE lead_protection_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call_row(app, VOID)
    operator = connect()
    operator.execute("SET ROLE lead_protection_operator")
    assert call_row(operator, VOID)["changed"]
