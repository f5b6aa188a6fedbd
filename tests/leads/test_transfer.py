"""A transfer begins a new protection; nothing of the old one comes back."""

from datetime import UTC, datetime, timedelta

from helpers.calls import call_row, make_policy, row
from helpers.facts import ago, events, insert_holds, insert_lead_of_age
from helpers.lead_calls import (
    DUE,
    EXPIRY,
    START,
    as_of,
    check,
    did,
    fifty_years_after,
    logged,
    proved,
    refused_unchanged,
    shown,
    unchanged,
)

# --- Transfer --------------------------------------------------------------------------------------------------------


def test_a_transfer_begins_a_new_protection(db, long):
    theirs = make_policy(db, "theirs", base_months=600, time_zone="UTC", reminder_time="06:30")
    db.execute("SELECT lead_protection.assign_user_policy(8, %s, 5)", (theirs,))
    answer = call_row(db, "transfer_lead(1, 7, 8, 'because', 5)")
    at = answer["decided_at"]
    check(
        db,
        answer,
        "lead.protection.transferred",
        details={"user_id_before": 7, "policy_id_before": long, "policy_id": theirs},
    )
    assert (answer["state_before"], answer["expires_before"], answer["reminder_due_before"]) == (
        "PROTECTED",
        EXPIRY,
        DUE,
    )
    expiry = fifty_years_after(at) + timedelta(days=70)
    assert (answer["user_id"], answer["state_after"], answer["expires_after"]) == (8, "PROTECTED", expiry)
    due = datetime.combine(expiry.date() - timedelta(days=10), datetime.min.time(), UTC) + timedelta(hours=6.5)
    assert answer["reminder_due_after"] == due
    assert (shown(db)["created_at"], shown(db)["policy_id"]) == (at, theirs)
    assert as_of(db, at - timedelta(microseconds=1)) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, START) == (7, "PROTECTED", EXPIRY)
    assert as_of(db, at) == (8, "PROTECTED", expiry)
    assert db.execute("SELECT * FROM lead_protection.lead_history").fetchall() == [(1, at, 7, long, START, None)]
    # Repeated with the user that it was asked for, or by whom the lead is now.
    unchanged(db, "transfer_lead(1, 7, 8, 'because', 5)")
    unchanged(db, "transfer_lead(1, 8, 8, 'because', 5)")
    refused_unchanged(db, "LP003", "transfer_lead(1, 7, 9, 'because', 5)")


def test_a_transfer_where_nobody_has_a_policy_keeps_that_of_the_lead(db, long):
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    call_row(db, "transfer_lead(1, 7, 8, 'because', 5)")
    assert shown(db)["policy_id"] == long


def test_nothing_of_an_old_protection_comes_back(db, long):
    call_row(db, "create_lead_hold(1, 7, 'open', 5, %s)", ago(3))
    call_row(db, "create_lead_hold(1, 7, 'planned', 5, %s, %s)", ago(-10), ago(-20))
    call_row(db, "create_lead_hold(1, 7, 'under way', 5, %s, %s)", ago(2), ago(-2))
    call_row(db, "extend_lead(1, 7, 20, 'x', 6, 5, 'k')")
    seen = shown(db)
    there = call_row(db, "transfer_lead(1, 7, 8, 'because', 5)")
    assert seen["on_hold"] and not shown(db)["on_hold"]
    # What the call found, and not what it had made of it on the way.
    assert there["on_hold_before"] is True and there["reminder_due_before"] is None
    assert timedelta(0) <= there["expires_before"] - seen["protection_expires_at"] < timedelta(seconds=30)
    assert events(db) == [
        *["lead.hold.created"] * 3,
        *["lead.hold.released"] * 3,
        "lead.protection.extended",
        "lead.protection.transferred",
    ]
    holds = db.execute("SELECT reason, start_at, end_at, released_by FROM lead_protection.lead_holds ORDER BY id")
    ended = {reason: (end_at, released_by, end_at == start_at) for reason, start_at, end_at, released_by in holds}
    at = there["decided_at"]
    assert ended["open"] == (at, 5, False) and ended["under way"] == (at, 5, False)
    assert ended["planned"][1:] == (5, True)

    back = call_row(db, "transfer_lead(1, 8, 7, 'because', 5)")
    again = back["decided_at"]
    now = shown(db)
    assert (now["state"], now["on_hold"], now["created_at"]) == ("PROTECTED", False, again)
    fresh = db.execute("SELECT lead_protection.calendar_expiry(%s, 'Europe/Berlin', 600, 70)", (again,)).fetchone()[0]
    assert now["protection_expires_at"] == fresh
    # What was granted then still counts towards the limit, and the key of then is still that request.
    refused_unchanged(db, "LP020", "extend_lead(1, 7, 60, 'x', 6, 5, 'k')")
    refused_unchanged(db, "LP024", "extend_lead(1, 7, 41, 'x', 6, 5, 'k2')")
    assert call_row(db, "extend_lead(1, 7, 40, 'x', 6, 5, 'k2')")["changed"]
    history = db.execute(
        "SELECT user_id, created_at, valid_until FROM lead_protection.lead_history ORDER BY valid_until"
    )
    assert history.fetchall() == [(7, START, at), (8, at, again)]
    assert [as_of(db, instant)[0] for instant in (at - timedelta(microseconds=1), at, again)] == [7, 8, 7]
    proved(db)


def test_a_reminder_of_an_old_protection_is_not_taken_back(db):
    insert_lead_of_age(db, 1, 249)
    assert did(db) == {"reminders": 1}
    sent = shown(db)["reminded_at"]
    assert call_row(db, "transfer_lead(1, 7, 8, 'because', 5)")["state_before"] == "GRACE"
    assert did(db) == {}
    call_row(db, "transfer_lead(1, 8, 7, 'because', 5)")
    assert did(db) == {}
    assert shown(db)["state"] == "PROTECTED" and shown(db)["reminded_at"] is None
    assert as_of(db, sent)[:2] == (7, "GRACE")


def test_a_free_lead_can_be_transferred(db):
    insert_lead_of_age(db, 1, 300)
    assert did(db) == {"expiries": 1}
    recorded = shown(db)["protection_expires_at"]
    answer = call_row(db, "transfer_lead(1, 7, 8, 'because', 5)")
    assert (answer["state_before"], answer["state_after"]) == ("EXPIRED", "PROTECTED")
    ledger = "SELECT user_id, protection_expires_at, reactivated_at FROM lead_protection.lead_expiries"
    assert db.execute(ledger).fetchall() == [(7, recorded, answer["decided_at"])]
    assert did(db) == {}
    assert as_of(db, answer["decided_at"] - timedelta(microseconds=1)) == (7, "EXPIRED", recorded)
    back = call_row(db, "transfer_lead(1, 8, 7, 'because', 5)")
    assert back["state_after"] == "PROTECTED" and did(db) == {}
    assert "lead.protection.reactivated" not in events(db)
    # The new protection of the old user ends in its turn, with a row of its own.
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (ago(300),))
    assert did(db) == {"expiries": 1}
    assert [r[0] for r in db.execute(ledger)] == [7, 7]
    proved(db)


def test_an_expiry_that_no_run_has_seen_is_told_before_the_lead_goes_on(db):
    insert_lead_of_age(db, 1, 300)
    expiry = shown(db)["protection_expires_at"]
    at = call_row(db, "transfer_lead(1, 7, 8, 'because', 5)")["decided_at"]
    assert events(db) == ["lead.protection.expired", "lead.protection.transferred"]
    log = logged(db, "lead.protection.expired")
    assert (log["user_id"], log["actor_id"], log["state_after"], log["expires_after"]) == (7, None, "EXPIRED", expiry)
    ledger = row(db, "SELECT user_id, protection_expires_at, reactivated_at FROM lead_protection.lead_expiries")
    assert ledger == {"user_id": 7, "protection_expires_at": expiry, "reactivated_at": at}
    assert did(db) == {}


def test_holds_of_another_user_are_left_alone(db, long):
    """They stop nothing; no function writes such rows for a lead that is not theirs."""
    insert_holds(db, 1, [(ago(3), None)], user_id=9)
    assert not shown(db)["on_hold"]
    for function in (
        "release_lead_hold(1, 7, 5)",
        "close_lead(1, 7, 'LOST', 'x', 5)",
        "reopen_lead(1, 7, 'x', 5)",
        "transfer_lead(1, 7, 8, 'x', 5)",
        "delete_lead(1, 8, 'x', 5)",
    ):
        call_row(db, function)
    assert row(db, "SELECT end_at, released_by FROM lead_protection.lead_holds") == {
        "end_at": None,
        "released_by": None,
    }
    assert "lead.hold.released" not in events(db)
