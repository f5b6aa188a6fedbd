"""Corrections and voids of holds: what each does, repeats, and what its dry run says."""

import pytest

from helpers.calls import refused, rows
from helpers.facts import PIPELINE_IDLE, events, insert_holds, insert_lead_of_age
from helpers.hold_calls import (
    DAY,
    consistent,
    correct,
    create,
    everything,
    from_now,
    hold_row,
    log,
    release,
    span,
    view,
    void,
)
from helpers.hold_limits import shown
from helpers.jobs import run_pipeline

# With the hold [-30, -10] such a lead is protected for some 11 more days, without it it has expired.
SAVED_BY_A_HOLD = 260


def after(answer):
    """What the answer says about the lead afterwards, named as in the view."""
    return {
        "state": answer["state_after"],
        "on_hold": answer["on_hold_after"],
        "protection_expires_at": answer["expires_after"],
        "reminder_due_at": answer["reminder_due_after"],
    }


# --- corrections ---


@pytest.mark.parametrize(
    ("start", "end", "moved"),
    [
        pytest.param(-25, -10, 5, id="backdated"),
        pytest.param(-18, -10, -2, id="begun later"),
        pytest.param(-20, -13, -3, id="shortened"),
        pytest.param(-20, -4, 6, id="lengthened"),
        pytest.param(-20, 4, 14, id="lengthened into the future"),
        pytest.param(-50, -41, -1, id="moved"),
        pytest.param(-200, -150, -10, id="moved before the protection"),
        pytest.param(-103, -10, 80, id="backdated to before the protection: from its start on"),
    ],
)
def test_a_correction_moves_the_expiry_by_the_difference(lead, start, end, moved):
    now = from_now(0)
    start_at, end_at = now + start * DAY, now + end * DAY
    hold = create(lead, start_at=now - 20 * DAY, end_at=now - 10 * DAY)
    before = view(lead)
    # The protection began PROTECTED days before the insert, a moment ago.
    counted = end_at - before["created_at"] - 10 * DAY if moved == 80 else moved * DAY
    answer = correct(lead, hold["hold_id"], 1, start_at, end_at)
    assert answer["changed"] is True
    assert answer["expires_before"] == before["protection_expires_at"]
    assert answer["expires_after"] == before["protection_expires_at"] + counted
    assert after(answer) == shown(lead)
    standing = hold_row(lead, hold["hold_id"])
    assert (standing["start_at"], standing["end_at"], standing["version"]) == (start_at, end_at, 2)
    consistent(lead)


def test_a_correction_logs_the_old_values(lead):
    now = from_now(0)
    hold = create(lead, reason="SAMPLE_DELAY", start_at=now - 20 * DAY, end_at=now - 10 * DAY)
    answer = correct(lead, hold["hold_id"], 1, now - 25 * DAY, now - 11 * DAY, "the letter says so", 99)
    (row,) = log(lead, "lead.hold.corrected")
    assert (row["actor_id"], row["reason"], row["occurred_at"]) == (99, "the letter says so", answer["decided_at"])
    assert (row["expires_before"], row["expires_after"]) == (answer["expires_before"], answer["expires_after"])
    assert (row["state_before"], row["state_after"]) == ("PROTECTED", "PROTECTED")
    text = "%Y-%m-%dT%H:%M:%S.%fZ"
    assert row["details"] == {
        "hold_id": hold["hold_id"],
        "hold_start_at": (now - 25 * DAY).strftime(text),
        "hold_end_at": (now - 11 * DAY).strftime(text),
        "hold_start_at_before": (now - 20 * DAY).strftime(text),
        "hold_end_at_before": (now - 10 * DAY).strftime(text),
    }
    assert hold_row(lead, hold["hold_id"])["reason_code"] == "SAMPLE_DELAY"
    assert events(lead) == ["lead.hold.corrected", "lead.hold.created"]


def test_a_hold_is_opened_again(lead):
    hold = create(lead, start_at=from_now(-20))
    base = view(lead)["protection_expires_at"]
    (released,) = release(lead)
    answer = correct(lead, hold["hold_id"], 2, hold["start_at"], None)
    assert (answer["on_hold_before"], answer["on_hold_after"], answer["reminder_due_after"]) == (False, True, None)
    assert answer["expires_after"] - answer["expires_before"] == answer["decided_at"] - released["end_at"]
    assert answer["expires_after"] > base
    standing = hold_row(lead, hold["hold_id"])
    assert (standing["end_at"], standing["released_by"]) == (None, None)
    (again,) = release(lead, actor_id=5)
    assert (again["released"], again["hold_id"], again["version"]) == (True, hold["hold_id"], 4)
    consistent(lead)


def test_a_released_hold_that_is_lengthened_into_the_future_can_be_released(lead):
    hold = create(lead, start_at=from_now(-20))
    release(lead)
    answer = correct(lead, hold["hold_id"], 2, hold["start_at"], from_now(10))
    assert answer["on_hold_after"] is True
    assert hold_row(lead, hold["hold_id"])["released_by"] is None
    (released,) = release(lead, actor_id=5)
    assert (released["released"], released["released_by"]) == (True, 5)
    assert view(lead)["on_hold"] is False
    consistent(lead)


def test_a_released_hold_that_is_shortened_stays_released(lead):
    hold = create(lead, start_at=from_now(-20))
    release(lead, actor_id=5)
    correct(lead, hold["hold_id"], 2, hold["start_at"], from_now(-1))
    assert hold_row(lead, hold["hold_id"])["released_by"] == 5


def test_a_repeated_correction_changes_nothing(lead):
    hold = create(lead, start_at=from_now(-20))
    end_at = from_now(-3)
    first = correct(lead, hold["hold_id"], 1, hold["start_at"], end_at)
    left = everything(lead)
    for version in (1, 2):
        again = correct(lead, hold["hold_id"], version, hold["start_at"], end_at)
        assert again["changed"] is False
        assert after(again) == after(first)
    assert everything(lead) == left


def test_a_shortening_may_end_the_protection_and_a_lengthening_bring_it_back(db):
    insert_lead_of_age(db, 1, SAVED_BY_A_HOLD)
    insert_holds(db, 1, [span(-30, -10)])
    (hold,) = rows(db, "SELECT * FROM lead_protection.lead_holds")
    assert view(db)["state"] == "PROTECTED"
    assert run_pipeline(db)["expiries"] == 0

    ended = correct(db, hold["id"], 1, hold["start_at"], hold["start_at"] + DAY)
    assert (ended["state_before"], ended["state_after"]) == ("PROTECTED", "EXPIRED")
    assert ended["expires_after"] == ended["expires_before"] - 19 * DAY
    assert run_pipeline(db)["expiries"] == 1
    assert events(db) == ["lead.hold.corrected", "lead.protection.expired"]

    back = correct(db, hold["id"], 2, hold["start_at"], hold["end_at"])
    assert (back["state_before"], back["state_after"]) == ("EXPIRED", "PROTECTED")
    assert back["expires_after"] == ended["expires_before"]
    assert back["reminder_due_after"] == ended["reminder_due_before"]
    assert run_pipeline(db)["reactivations"] == 1
    assert run_pipeline(db)["reactivations"] == 0
    assert events(db).count("lead.protection.reactivated") == 1
    consistent(db)


def test_a_correction_makes_the_reminder_fall_due(db):
    """Protected by 20 days of hold; with 12 of them the reminder is due now, and goes out."""
    insert_lead_of_age(db, 1, SAVED_BY_A_HOLD)
    insert_holds(db, 1, [span(-30, -10)])
    (hold,) = rows(db, "SELECT * FROM lead_protection.lead_holds")
    assert run_pipeline(db)["reminders"] == 0
    answer = correct(db, hold["id"], 1, hold["start_at"], hold["start_at"] + 12 * DAY)
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "REMINDER_DUE")
    assert answer["reminder_due_after"] < answer["decided_at"] < answer["reminder_due_before"]
    assert run_pipeline(db)["reminders"] == 1
    # Taken back with the correction of the correction.
    correct(db, hold["id"], 2, hold["start_at"], hold["end_at"])
    assert view(db)["state"] == "PROTECTED"
    assert run_pipeline(db) == PIPELINE_IDLE | {"reactivations": 1}


# --- voids ---


def test_a_void_hold_counts_for_nothing(lead):
    before = shown(lead)
    hold = create(lead, start_at=from_now(-20))
    answer = void(lead, hold["hold_id"], 1, "a slip", 99)
    assert (answer["changed"], answer["on_hold_before"]) == (True, True)
    assert after(answer) == before == shown(lead)
    standing = hold_row(lead, hold["hold_id"])
    assert (standing["voided_at"], standing["voided_by"]) == (answer["decided_at"], 99)
    assert (standing["start_at"], standing["end_at"], standing["version"]) == (hold["start_at"], None, 2)
    (row,) = log(lead, "lead.hold.voided")
    assert (row["actor_id"], row["reason"], row["details"]["hold_id"]) == (99, "a slip", hold["hold_id"])
    assert row["expires_before"] - row["expires_after"] == answer["decided_at"] - hold["start_at"]
    assert events(lead) == ["lead.hold.created", "lead.hold.voided"]
    # Nor does it stand in the way of another, nor is it released.
    assert release(lead)[0]["released"] is False
    assert create(lead)["created"] is True
    consistent(lead)


def test_a_repeated_void_changes_nothing(lead):
    hold = create(lead)
    void(lead, hold["hold_id"], 1)
    left = everything(lead)
    for version in (1, 2):
        assert void(lead, hold["hold_id"], version)["changed"] is False
    assert everything(lead) == left


def test_a_planned_hold_is_cancelled_by_a_void_and_can_be_planned_again(lead):
    before = shown(lead)
    planned = dict(zip(("start_at", "end_at"), span(5, 9), strict=True))
    hold = create(lead, **planned)
    answer = void(lead, hold["hold_id"], 1)
    assert answer["expires_before"] - answer["expires_after"] == 4 * DAY
    assert shown(lead) == before
    assert create(lead, **planned)["created"] is True


def test_a_void_may_end_the_protection(db):
    insert_lead_of_age(db, 1, SAVED_BY_A_HOLD)
    insert_holds(db, 1, [span(-30, -10)])
    (hold,) = rows(db, "SELECT id FROM lead_protection.lead_holds")
    answer = void(db, hold["id"], 1)
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "EXPIRED")
    assert answer["expires_before"] - answer["expires_after"] == 20 * DAY
    assert run_pipeline(db)["expiries"] == 1
    consistent(db)


def test_a_void_hold_counted_nothing_at_any_instant(lead):
    """protection_as_of() answers by what is known now, for the past, too."""
    as_of = from_now(-5)
    past = "SELECT state, on_hold, protection_expires_at FROM lead_protection.protection_as_of(%s)"
    before = rows(lead, past, (as_of,))
    hold = create(lead, start_at=from_now(-20))
    assert rows(lead, past, (as_of,)) != before
    void(lead, hold["hold_id"], 1)
    assert rows(lead, past, (as_of,)) == before


# --- dry runs ---


@pytest.mark.parametrize("end", [-15, -2, 6])
def test_the_dry_run_of_a_correction_is_what_it_does(lead, end):
    hold = create(lead, start_at=from_now(-20), end_at=from_now(-10))
    left = everything(lead)
    span = {"start_at": from_now(-22), "end_at": from_now(end)}
    foreseen = correct(lead, hold["hold_id"], 1, **span, dry_run=True)
    assert everything(lead) == left
    done = correct(lead, hold["hold_id"], 1, **span)
    assert foreseen | {"decided_at": None} == done | {"decided_at": None}
    assert done["changed"] is True


def test_the_dry_run_of_a_void_is_what_it_does(db):
    insert_lead_of_age(db, 1, SAVED_BY_A_HOLD)
    insert_holds(db, 1, [span(-30, -10)])
    (hold,) = rows(db, "SELECT id FROM lead_protection.lead_holds")
    left = everything(db)
    foreseen = void(db, hold["id"], 1, dry_run=True)
    assert everything(db) == left
    assert foreseen["state_after"] == "EXPIRED"
    assert foreseen | {"decided_at": None} == void(db, hold["id"], 1) | {"decided_at": None}


def test_dry_runs_answer_with_the_errors(lead):
    hold = create(lead)
    void(lead, hold["hold_id"], 1)
    left = everything(lead)
    for sqlstate, function, args in (
        ("LP001", correct, {"hold_id": None, "start_at": from_now(-1), "end_at": None}),
        ("LP001", correct, {"hold_id": 1, "start_at": None, "end_at": None}),
        ("LP001", void, {"hold_id": None}),
        ("LP033", void, {"hold_id": 999}),
        ("LP033", correct, {"hold_id": 999, "start_at": from_now(-1), "end_at": None}),
        ("LP034", correct, {"hold_id": 1, "start_at": from_now(-1), "end_at": None}),
        ("LP006", correct, {"hold_id": 1, "start_at": from_now(-1), "end_at": from_now(-2)}),
    ):
        refused(sqlstate, function, lead, version=2, dry_run=True, **args)
    assert everything(lead) == left
