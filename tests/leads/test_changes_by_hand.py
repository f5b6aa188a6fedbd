"""Rows of leads that their owner changes by hand are logged like the calls."""

from datetime import timedelta

from helpers.calls import call_row
from helpers.facts import events, insert_lead
from helpers.lead_calls import (
    EARLIER,
    EARLIER_EXPIRY,
    EXPIRY,
    START,
    as_of,
    logged,
    payload,
    proved,
)

# --- Rows, by the owner ----------------------------------------------------------------------------------------------


def test_a_change_by_hand_is_logged_and_kept(db, long):
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (EARLIER,))
    log = logged(db, "lead.changed")
    assert (log["actor_id"], log["reason"], log["state_before"], log["state_after"]) == (
        None,
        "changed as a row",
        "PROTECTED",
        "PROTECTED",
    )
    assert (log["expires_before"], log["expires_after"]) == (EXPIRY, EARLIER_EXPIRY)
    assert log["details"]["started_at_before"] == "2024-01-31T09:00:00.000000Z"
    assert log["details"]["started_at"] == "2023-12-15T08:30:00.000000Z"
    assert payload(db, "lead.changed")["started_at"] == log["details"]["started_at"]
    assert db.execute("SELECT count(*) FROM lead_protection.lead_history").fetchone() == (0,)


def test_a_change_of_hands_by_hand_has_its_history(db, long):
    db.execute("UPDATE lead_protection.leads SET user_id = 8")
    log = logged(db, "lead.changed")
    assert (log["user_id"], log["details"]["user_id_before"]) == (8, 7)
    history = db.execute("SELECT * FROM lead_protection.lead_history").fetchall()
    assert history == [(1, log["occurred_at"], 7, long, START, None)]
    assert as_of(db, log["occurred_at"] - timedelta(microseconds=1))[0] == 7
    assert as_of(db, log["occurred_at"])[0] == 8
    proved(db)


def test_an_update_that_changes_nothing_is_not_logged(db, long):
    db.execute("UPDATE lead_protection.leads SET user_id = user_id")
    assert events(db) == []


def test_a_bulk_update_by_hand_logs_each_lead_that_changes(db, long):
    insert_lead(db, 2, EARLIER)
    insert_lead(db, 3, START)
    db.execute("UPDATE lead_protection.leads SET created_at = %s", (EARLIER,))
    assert (events(db, 1), events(db, 2), events(db, 3)) == (["lead.changed"], [], ["lead.changed"])


def test_what_a_function_changes_is_logged_once(db, long):
    for function in (
        "transfer_lead(1, 7, 8, 'x', 5)",
        "close_lead(1, 8, 'LOST', 'x', 5)",
        "reopen_lead(1, 8, 'x', 5)",
        "delete_lead(1, 8, 'x', 5)",
    ):
        call_row(db, function)
    assert events(db) == ["lead.closed", "lead.deleted", "lead.protection.transferred", "lead.reopened"]
