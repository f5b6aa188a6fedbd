"""Closing, reopening and deletion."""

from datetime import timedelta

import pytest

from helpers.calls import call_row, make_policy, row
from helpers.facts import ago, events, insert_holds, insert_lead, insert_lead_of_age
from helpers.lead_calls import (
    DUE,
    EXPIRY,
    START,
    as_of,
    check,
    did,
    proved,
    refused_unchanged,
    shown,
    unchanged,
)

# --- Closing, reopening, deletion ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["CONVERTED", "LOST"])
def test_closing(db, long, outcome):
    answer = call_row(db, "close_lead(1, 7, %s, 'because', 5)", outcome)
    check(db, answer, "lead.closed", details={"outcome": outcome})
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "CLOSED")
    assert (answer["expires_after"], answer["reminder_due_after"]) == (EXPIRY, None)
    lead = row(db, "SELECT closed_at, closed_as FROM lead_protection.leads")
    assert lead == {"closed_at": answer["decided_at"], "closed_as": outcome}
    assert as_of(db, answer["decided_at"] - timedelta(microseconds=1)) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, answer["decided_at"]) == (7, "CLOSED", EXPIRY)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (0,)
    unchanged(db, "close_lead(1, 7, %s, 'again', 5)", outcome)
    refused_unchanged(db, "LP009", "close_lead(1, 7, %s, 'x', 5)", {"CONVERTED": "LOST", "LOST": "CONVERTED"}[outcome])


def test_closing_ends_the_holds_in_force_and_leaves_those_to_come(db, long):
    call_row(db, "create_lead_hold(1, 7, 'open', 5, %s)", ago(4))
    call_row(db, "create_lead_hold(1, 7, 'under way', 5, %s, %s)", ago(2), ago(-2))
    call_row(db, "create_lead_hold(1, 7, 'to come', 5, %s, %s)", ago(-10), ago(-20))
    planned = row(db, "SELECT end_at FROM lead_protection.lead_holds WHERE reason = 'to come'")["end_at"]
    answer = call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")
    assert (answer["on_hold_before"], answer["on_hold_after"]) == (True, False)
    ends = dict(db.execute("SELECT reason, end_at FROM lead_protection.lead_holds").fetchall())
    at = answer["decided_at"]
    assert ends == {"open": at, "under way": at, "to come": planned}
    assert events(db) == ["lead.closed", *["lead.hold.created"] * 3, *["lead.hold.released"] * 2]
    # Four days of stop, and ten to come.
    moved = answer["expires_after"] - EXPIRY
    assert timedelta(days=14) <= moved < timedelta(days=14, seconds=30)
    proved(db)


def test_a_free_lead_can_be_closed(db):
    insert_lead_of_age(db, 1, 300)
    assert call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")["state_before"] == "EXPIRED"
    assert did(db) == {}


def test_reopening(db, long):
    closed_at = call_row(db, "close_lead(1, 7, 'CONVERTED', 'x', 5)")["decided_at"]
    answer = call_row(db, "reopen_lead(1, 7, 'because', 5)")
    closed = row(db, "SELECT lead_protection.instant_text(%s) AS at", closed_at)["at"]
    check(db, answer, "lead.reopened", details={"outcome": "CONVERTED", "closed_at": closed})
    assert (answer["state_before"], answer["state_after"], answer["expires_after"]) == ("CLOSED", "PROTECTED", EXPIRY)
    assert (answer["reminder_due_before"], answer["reminder_due_after"]) == (None, DUE)
    assert row(db, "SELECT closed_at, closed_as FROM lead_protection.leads") == {"closed_at": None, "closed_as": None}
    at = answer["decided_at"]
    looks = [closed_at - timedelta(microseconds=1), closed_at, at - timedelta(microseconds=1), at]
    assert [as_of(db, instant)[1] for instant in looks] == ["PROTECTED", "CLOSED", "CLOSED", "PROTECTED"]
    unchanged(db, "reopen_lead(1, 7, 'because', 5)")
    # It can be closed with another outcome now.
    assert call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")["changed"]


def test_reopening_ends_an_open_hold_where_the_row_was_closed(db, long):
    insert_holds(db, 1, [(ago(10), None)])
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(4),))
    closed = shown(db)
    answer = call_row(db, "reopen_lead(1, 7, 'because', 5)")
    assert (answer["on_hold_after"], answer["state_after"]) == (False, "PROTECTED")
    assert answer["expires_after"] == closed["protection_expires_at"]
    hold = row(db, "SELECT end_at, released_by FROM lead_protection.lead_holds")
    assert hold == {"end_at": closed["closed_at"], "released_by": 5}
    assert events(db) == ["lead.changed", "lead.hold.released", "lead.reopened"]
    proved(db)


def test_the_time_runs_out_while_a_lead_is_closed(db):
    insert_lead_of_age(db, 1, 300)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(100),))
    assert did(db) == {}
    answer = call_row(db, "reopen_lead(1, 7, 'because', 5)")
    assert (answer["state_before"], answer["state_after"]) == ("CLOSED", "EXPIRED")
    assert did(db) == {"expiries": 1}
    assert as_of(db, ago(10))[1] == "CLOSED"


def test_an_activity_while_closed_counts_once_reopened(db):
    parallel = make_policy(db, "parallel", rule="parallel", base_months=600, time_zone="UTC")
    start, during = ago(50), ago(10)
    insert_lead(db, 1, start, policy_id=parallel)
    db.execute("UPDATE lead_protection.leads SET closed_at = %s", (ago(20),))
    db.execute("SELECT lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', %s, 'k', 5)", (during,))
    assert shown(db)["protection_expires_at"] == start + timedelta(days=70)
    answer = call_row(db, "reopen_lead(1, 7, 'because', 5)")
    assert answer["expires_after"] == during + timedelta(days=70)


def test_deletion(db, long):
    answer = call_row(db, "delete_lead(1, 7, 'because', 5)")
    check(db, answer, "lead.deleted")
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "CLOSED")
    lead = row(db, "SELECT closed_at, closed_as FROM lead_protection.leads")
    assert lead == {"closed_at": answer["decided_at"], "closed_as": "DELETED"}
    unchanged(db, "delete_lead(1, 7, 'because', 5)")
    refused_unchanged(db, "LP028", "reopen_lead(1, 7, 'because', 5)")
    assert as_of(db, START) == (7, "PROTECTED", EXPIRY)


def test_a_closed_lead_can_be_deleted_and_stays_closed_when_it_was(db, long):
    closed_at = call_row(db, "close_lead(1, 7, 'LOST', 'x', 5)")["decided_at"]
    answer = call_row(db, "delete_lead(1, 7, 'because', 5)")
    check(db, answer, "lead.deleted", details={"outcome_before": "LOST"})
    assert (answer["state_before"], answer["state_after"]) == ("CLOSED", "CLOSED")
    lead = row(db, "SELECT closed_at, closed_as FROM lead_protection.leads")
    assert lead == {"closed_at": closed_at, "closed_as": "DELETED"}


def test_deletion_ends_a_hold(db, long):
    call_row(db, "create_lead_hold(1, 7, 'x', 5)")
    answer = call_row(db, "delete_lead(1, 7, 'because', 5)")
    assert (answer["on_hold_before"], answer["on_hold_after"]) == (True, False)
    assert events(db) == ["lead.deleted", "lead.hold.created", "lead.hold.released"]
    proved(db)
