"""Corrections, voids, limits, overrides, reasons and the operators' views: what each does, repeats, refuses."""

from datetime import UTC, timedelta
from functools import partial

import pytest

from facts import EXPIRED, NIGHTLY_IDLE, PIPELINE_IDLE, PROTECTED, events, insert_holds, insert_lead_of_age
from hold_calls import (
    DAY,
    STATE,
    active,
    call,
    consistent,
    correct,
    create,
    everything,
    from_now,
    hold_row,
    interleave,
    limited_policy,
    log,
    nightly,
    override,
    pipeline,
    refused,
    release,
    rows,
    span,
    view,
    void,
)

MICROSECOND = timedelta(microseconds=1)
# With the hold [-30, -10] such a lead is protected for some 11 more days, without it it has expired.
SAVED_BY_A_HOLD = 260


@pytest.fixture
def lead(db):
    """The connection, to a database with a protected lead of user 7."""
    insert_lead_of_age(db, 1, PROTECTED)
    return db


def after(answer):
    """What the answer says about the lead afterwards, named as in the view."""
    return {
        "state": answer["state_after"],
        "on_hold": answer["on_hold_after"],
        "protection_expires_at": answer["expires_after"],
        "reminder_due_at": answer["reminder_due_after"],
    }


def shown(db, lead_id=1):
    """What the view shows of the lead."""
    row = view(db, lead_id)
    return {column: row[column] for column in STATE}


def limited_lead(db, lead_id=2, days=PROTECTED, **limits):
    """Insert a lead of user 7 under a policy with limits."""
    policy_id = limited_policy(db, **limits)
    insert_lead_of_age(db, lead_id, days)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = %s", (policy_id, lead_id))
    return policy_id


def open_hold(db, lead_id, start_at):
    """An open hold that no limit was asked for, as a row; return its id."""
    insert_holds(db, lead_id, [(start_at, None)])
    return rows(db, "SELECT max(id) AS id FROM lead_protection.lead_holds")[0]["id"]


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
    hold = create(lead, reason="FFZ_SAMPLE_DELAY", start_at=now - 20 * DAY, end_at=now - 10 * DAY)
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
    assert hold_row(lead, hold["hold_id"])["reason_code"] == "FFZ_SAMPLE_DELAY"
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
    assert pipeline(db)["expiries"] == 0

    ended = correct(db, hold["id"], 1, hold["start_at"], hold["start_at"] + DAY)
    assert (ended["state_before"], ended["state_after"]) == ("PROTECTED", "EXPIRED")
    assert ended["expires_after"] == ended["expires_before"] - 19 * DAY
    assert pipeline(db)["expiries"] == 1
    assert events(db) == ["lead.hold.corrected", "lead.protection.expired"]

    back = correct(db, hold["id"], 2, hold["start_at"], hold["end_at"])
    assert (back["state_before"], back["state_after"]) == ("EXPIRED", "PROTECTED")
    assert back["expires_after"] == ended["expires_before"]
    assert back["reminder_due_after"] == ended["reminder_due_before"]
    assert pipeline(db)["reactivations"] == 1
    assert pipeline(db)["reactivations"] == 0
    assert events(db).count("lead.protection.reactivated") == 1
    consistent(db)


def test_a_correction_makes_the_reminder_fall_due(db):
    """Protected by 20 days of hold; with 12 of them the reminder is due now, and goes out."""
    insert_lead_of_age(db, 1, SAVED_BY_A_HOLD)
    insert_holds(db, 1, [span(-30, -10)])
    (hold,) = rows(db, "SELECT * FROM lead_protection.lead_holds")
    assert pipeline(db)["reminders"] == 0
    answer = correct(db, hold["id"], 1, hold["start_at"], hold["start_at"] + 12 * DAY)
    assert (answer["state_before"], answer["state_after"]) == ("PROTECTED", "REMINDER_DUE")
    assert answer["reminder_due_after"] < answer["decided_at"] < answer["reminder_due_before"]
    assert pipeline(db)["reminders"] == 1
    # Taken back with the correction of the correction.
    correct(db, hold["id"], 2, hold["start_at"], hold["end_at"])
    assert view(db)["state"] == "PROTECTED"
    assert pipeline(db) == PIPELINE_IDLE | {"reactivations": 1}


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
    assert pipeline(db)["expiries"] == 1
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


# --- previews ---


@pytest.mark.parametrize("end", [-15, -2, 6])
def test_the_preview_of_a_correction_is_what_it_does(lead, end):
    hold = create(lead, start_at=from_now(-20), end_at=from_now(-10))
    left = everything(lead)
    span = {"start_at": from_now(-22), "end_at": from_now(end)}
    (preview,) = call(lead, "preview_hold_correction", hold_id=hold["hold_id"], **span)
    assert everything(lead) == left
    done = correct(lead, hold["hold_id"], 1, **span)
    assert preview | {"decided_at": None} == done | {"decided_at": None}
    assert done["changed"] is True


def test_the_preview_of_a_void_is_what_it_does(db):
    insert_lead_of_age(db, 1, SAVED_BY_A_HOLD)
    insert_holds(db, 1, [span(-30, -10)])
    (hold,) = rows(db, "SELECT id FROM lead_protection.lead_holds")
    left = everything(db)
    (preview,) = call(db, "preview_hold_void", hold_id=hold["id"])
    assert everything(db) == left
    assert preview["state_after"] == "EXPIRED"
    assert preview | {"decided_at": None} == void(db, hold["id"], 1) | {"decided_at": None}


def test_previews_answer_with_the_errors(lead):
    hold = create(lead)
    void(lead, hold["hold_id"], 1)
    left = everything(lead)
    for sqlstate, function, args in (
        ("LP001", "preview_hold_correction", {"hold_id": None, "start_at": from_now(-1), "end_at": None}),
        ("LP001", "preview_hold_correction", {"hold_id": 1, "start_at": None, "end_at": None}),
        ("LP001", "preview_hold_void", {"hold_id": None}),
        ("LP033", "preview_hold_void", {"hold_id": 999}),
        ("LP033", "preview_hold_correction", {"hold_id": 999, "start_at": from_now(-1), "end_at": None}),
        ("LP034", "preview_hold_correction", {"hold_id": 1, "start_at": from_now(-1), "end_at": None}),
        ("LP006", "preview_hold_correction", {"hold_id": 1, "start_at": from_now(-1), "end_at": from_now(-2)}),
    ):
        refused(sqlstate, call, lead, function, **args)
    assert everything(lead) == left


# --- what is refused ---

# 1: open hold of lead 1. 2: planned there. 3: void there. 4: of lead 2, closed. 5: of user 7, lead 3 is user 8's.
# 6: open, of lead 5 under a limit of 10 days, made 4 days ago. Lead 4 has expired.
REFUSED = [
    ("LP001", "correct_lead_hold(NULL, 1, now(), NULL, 'x', 1)"),
    ("LP001", "correct_lead_hold(1, NULL, now(), NULL, 'x', 1)"),
    ("LP001", "correct_lead_hold(1, 1, NULL, NULL, 'x', 1)"),
    ("LP001", "correct_lead_hold(1, 1, now(), NULL, 'x', NULL)"),
    ("LP001", "void_lead_hold(NULL, 1, 'x', 1)"),
    ("LP001", "void_lead_hold(1, NULL, 'x', 1)"),
    ("LP001", "void_lead_hold(1, 1, 'x', NULL)"),
    ("LP001", "override_hold_limit(NULL, 1, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP001", "override_hold_limit(1, 1, NULL, 'x', 1)"),
    ("LP001", "override_hold_limit(1, 1, now() + INTERVAL '1 day', 'x', NULL)"),
    ("LP002", "create_lead_hold(99, 7, 'x', 1)"),
    ("LP003", "create_lead_hold(3, 7, 'x', 1)"),
    ("LP003", "correct_lead_hold(5, 2, now(), NULL, 'x', 1)"),
    ("LP003", "void_lead_hold(5, 2, 'x', 1)"),
    ("LP003", "override_hold_limit(5, 2, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP004", "correct_lead_hold(1, 1, now(), NULL, ' ', 1)"),
    ("LP004", "correct_lead_hold(1, 1, now(), NULL, NULL, 1)"),
    ("LP004", "void_lead_hold(1, 1, repeat('x', 256), 1)"),
    ("LP004", "override_hold_limit(1, 1, now() + INTERVAL '1 day', '', 1)"),
    ("LP004", "create_lead_hold(1, 7, 'OTHER', 1)"),
    ("LP005", "correct_lead_hold(1, 1, '1899-12-31Z', NULL, 'x', 1)"),
    ("LP005", "correct_lead_hold(1, 1, now(), 'infinity', 'x', 1)"),
    ("LP005", "override_hold_limit(1, 1, 'infinity', 'x', 1)"),
    ("LP006", "correct_lead_hold(1, 1, now(), now(), 'x', 1)"),
    ("LP006", "override_hold_limit(1, 1, now() - INTERVAL '1 year', 'x', 1)"),
    ("LP007", "correct_lead_hold(1, 1, now() + INTERVAL '1 hour', NULL, 'x', 1)"),
    ("LP008", "create_lead_hold(4, 7, 'x', 1)"),
    ("LP009", "create_lead_hold(2, 7, 'x', 1)"),
    ("LP009", "correct_lead_hold(4, 2, now(), NULL, 'x', 1)"),
    ("LP009", "void_lead_hold(4, 2, 'x', 1)"),
    ("LP009", "override_hold_limit(4, 2, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP030", "create_lead_hold(1, 7, 'FFZ_SUPLY_ISSUE', 1)"),
    ("LP031", "create_lead_hold(1, 7, 'USER_NEEDS_TIME', 1)"),
    ("LP032", "create_lead_hold(5, 7, 'x', 1, now(), now() + INTERVAL '11 days')"),
    ("LP032", "correct_lead_hold(6, 1, now() - INTERVAL '4 days', now() + INTERVAL '7 days', 'x', 1)"),
    ("LP032", "correct_lead_hold(6, 1, now() - INTERVAL '11 days', NULL, 'x', 1)"),
    ("LP033", "correct_lead_hold(999, 1, now(), NULL, 'x', 1)"),
    ("LP033", "void_lead_hold(999, 1, 'x', 1)"),
    ("LP033", "override_hold_limit(999, 1, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP034", "correct_lead_hold(3, 2, now() - INTERVAL '1 day', NULL, 'x', 1)"),
    ("LP034", "override_hold_limit(3, 2, now() + INTERVAL '9 days', 'x', 1)"),
    ("LP035", "correct_lead_hold(1, 2, now(), NULL, 'x', 1)"),
    ("LP035", "correct_lead_hold(3, 1, now(), NULL, 'x', 1)"),
    ("LP035", "void_lead_hold(1, 0, 'x', 1)"),
    ("LP035", "override_hold_limit(1, 7, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP036", "correct_lead_hold(2, 1, now() - INTERVAL '1 day', NULL, 'x', 1)"),
    ("LP036", "correct_lead_hold(1, 1, h.start_at, h.end_at, 'x', 1)"),
]


def test_refused_with_detail_and_hint_and_nothing_changed(lead):
    create(lead, start_at=from_now(-10))
    create(lead, start_at=from_now(5), end_at=from_now(6))
    void(lead, create(lead, start_at=from_now(5), end_at=from_now(7))["hold_id"], 1)
    for lead_id, days in ((2, PROTECTED), (3, PROTECTED), (4, EXPIRED)):
        insert_lead_of_age(lead, lead_id, days)
    create(lead, 2)
    call(lead, "close_lead", lead_id=2, user_id=7, outcome="LOST", reason="x", actor_id=1)
    create(lead, 3)
    call(lead, "transfer_lead", lead_id=3, user_id=7, new_user_id=8, reason="x", actor_id=1)
    limited_lead(lead, 5, hold_limit_days=10)
    assert create(lead, 5, start_at=from_now(-4))["hold_id"] == 6
    left = everything(lead)
    for sqlstate, statement in REFUSED:
        query = f"SELECT f.* FROM lead_protection.lead_holds AS h, lead_protection.{statement} AS f WHERE h.id = 2"
        try:
            refused(sqlstate, lead.execute, query)
        except BaseException as error:
            error.add_note(statement)
            raise
        assert everything(lead) == left, statement


def test_a_message_reads_the_same_in_every_session(lead):
    limited_lead(lead, 2, hold_limit_days=10)
    wrong = {"start_at": from_now(-1), "end_at": from_now(20)}
    told = set()
    for zone, style in (("UTC", "ISO"), ("Asia/Tokyo", "German")):
        lead.execute(f"SET TimeZone = '{zone}'")
        lead.execute(f"SET DateStyle = '{style}'")
        told.add(refused("LP032", create, lead, 2, **wrong).diag.message_detail)
        turned = {"start_at": wrong["end_at"], "end_at": wrong["start_at"]}
        told.add(refused("LP006", create, lead, 2, **turned).diag.message_detail)
    assert len(told) == 2


# --- limits ---


def test_one_hold_may_be_as_long_as_the_limit_and_not_longer(db):
    limited_lead(db, hold_limit_days=10)
    start_at = from_now(-3)
    refused("LP032", create, db, 2, start_at=start_at, end_at=start_at + 10 * DAY + MICROSECOND)
    hold = create(db, 2, start_at=start_at, end_at=start_at + 10 * DAY)
    assert hold["created"] is True
    later = start_at + 10 * DAY + MICROSECOND
    refused("LP032", correct, db, hold["hold_id"], 1, start_at, later)
    # The limit of one hold says nothing about two.
    assert create(db, 2, start_at=start_at + 20 * DAY, end_at=start_at + 30 * DAY)["created"] is True


def test_a_limit_counts_days_of_24_hours(db):
    """Across both changes of the clocks of Berlin, whatever the session's zone."""
    db.execute("SET TimeZone = 'Europe/Berlin'")
    limited_lead(db, hold_limit_days=300, days=200)
    hold = create(db, 2, start_at=from_now(-1))
    (standing,) = active(db)
    assert standing["limit_at"].astimezone(UTC) == hold["start_at"].astimezone(UTC) + 300 * DAY


def test_a_limit_counts_from_where_the_hold_stops_the_clock(db):
    limited_lead(db, days=5, hold_limit_days=10)
    began = view(db, 2)["created_at"]
    refused("LP032", create, db, 2, start_at=began - 50 * DAY, end_at=began + 10 * DAY + MICROSECOND)
    assert create(db, 2, start_at=began - 50 * DAY, end_at=began + 10 * DAY)["created"] is True
    # One that lies before the protection counts for nothing, and no limit minds it.
    assert create(db, 2, start_at=began - 90 * DAY, end_at=began - 60 * DAY)["created"] is True


def test_an_open_hold_needs_time_left(db):
    limited_lead(db, hold_limit_days=10)
    refused("LP032", create, db, 2, start_at=from_now(-10))
    assert create(db, 2, start_at=from_now(-9))["created"] is True


def test_all_holds_together_and_overlaps_once(db):
    limited_lead(db, hold_total_limit_days=10)
    t = from_now(-40)
    assert create(db, 2, start_at=t, end_at=t + 6 * DAY)["created"] is True
    refused("LP032", create, db, 2, start_at=t + 4 * DAY, end_at=t + 10 * DAY + MICROSECOND)
    assert create(db, 2, start_at=t + 4 * DAY, end_at=t + 10 * DAY)["created"] is True
    # All used up: only what overlaps is still allowed.
    refused("LP032", create, db, 2, start_at=t + 20 * DAY, end_at=t + 20 * DAY + MICROSECOND)
    assert create(db, 2, start_at=t + 1 * DAY, end_at=t + 9 * DAY)["created"] is True
    refused("LP032", create, db, 2)
    # What is void, or belonged to another protection, is not counted.
    for row in rows(db, "SELECT id FROM lead_protection.lead_holds WHERE end_at - start_at = INTERVAL '8 days'"):
        void(db, row["id"], 1)
    refused("LP032", create, db, 2)
    void(db, rows(db, "SELECT min(id) AS id FROM lead_protection.lead_holds")[0]["id"], 1)
    assert create(db, 2, start_at=t + 20 * DAY, end_at=t + 24 * DAY)["created"] is True
    call(db, "transfer_lead", lead_id=2, user_id=7, new_user_id=8, reason="x", actor_id=1)
    began = view(db, 2)["created_at"]
    policy_id = rows(db, "SELECT id FROM lead_protection.protection_policies WHERE name = 'limited'")[0]["id"]
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (policy_id,))
    assert create(db, 2, user_id=8, start_at=began, end_at=began + 10 * DAY)["created"] is True


def test_the_limit_of_an_open_hold_minds_planned_ones(db):
    """Those that it will run into stretch it, for they stop the clock anyway; those beyond are taken off."""
    limited_lead(db, hold_total_limit_days=10)
    t = from_now(-1)
    create(db, 2, start_at=t + 3 * DAY, end_at=t + 5 * DAY)
    create(db, 2, start_at=t + 20 * DAY, end_at=t + 23 * DAY)
    create(db, 2, start_at=t)
    (standing,) = active(db)
    # 10 days less 2 less 3, and the 2 that it runs through.
    assert standing["limit_at"] == t + 7 * DAY


def test_a_planned_hold_minds_the_open_one(db):
    """What the open one has used until now is used: it must not lose it to a plan."""
    limited_lead(db, hold_total_limit_days=10)
    open_since = from_now(-6)
    create(db, 2, start_at=open_since)
    t = from_now(30)
    refused("LP032", create, db, 2, start_at=t, end_at=t + 4.01 * DAY)
    create(db, 2, start_at=t, end_at=t + 3.5 * DAY)
    (standing,) = active(db)
    assert standing["limit_at"] == open_since + 6.5 * DAY
    assert nightly(db)["holds_overrun"] == 0


def test_the_shorter_of_both_limits_counts(db):
    limited_lead(db, hold_limit_days=8, hold_total_limit_days=10)
    t = from_now(-40)
    refused("LP032", create, db, 2, start_at=t, end_at=t + 9 * DAY)
    create(db, 2, start_at=t, end_at=t + 6 * DAY)
    refused("LP032", create, db, 2, start_at=t + 10 * DAY, end_at=t + 15 * DAY)
    assert create(db, 2, start_at=t + 10 * DAY, end_at=t + 14 * DAY)["created"] is True


def test_the_default_policy_sets_no_limit(lead):
    policy = rows(lead, "SELECT hold_limit_days, hold_total_limit_days FROM lead_protection.protection_policies")
    assert policy == [{"hold_limit_days": None, "hold_total_limit_days": None}]
    assert create(lead, start_at=from_now(-99))["created"] is True
    assert create(lead, start_at=from_now(1), end_at=from_now(3000))["created"] is True
    assert active(lead)[0]["limit_at"] is None and active(lead)[0]["overrun"] is False
    assert nightly(lead) == NIGHTLY_IDLE
    # An override of no limit is no limit either.
    override(lead, 1, 1, from_now(1))
    assert active(lead)[0]["limit_at"] is None


def test_the_nightly_job_ends_an_overrun_hold_at_its_limit(db):
    limited_lead(db, hold_limit_days=10)
    base = view(db, 2)["protection_expires_at"]
    start_at = from_now(-15)
    hold_id = open_hold(db, 2, start_at)
    assert active(db)[0]["overrun"] is True
    assert nightly(db) == NIGHTLY_IDLE | {"holds_overrun": 1}
    ended = hold_row(db, hold_id)
    assert (ended["end_at"], ended["released_by"], ended["version"]) == (start_at + 10 * DAY, None, 2)
    assert view(db, 2)["protection_expires_at"] == base + 10 * DAY
    assert view(db, 2)["on_hold"] is False
    (row,) = log(db, "lead.hold.overrun")
    assert row["actor_id"] is None and row["reason"]
    assert row["occurred_at"] == ended["overrun_at"]
    assert row["expires_after"] == base + 10 * DAY
    assert row["expires_before"] - row["expires_after"] == row["occurred_at"] - (start_at + 10 * DAY)
    left = everything(db)
    assert nightly(db) == NIGHTLY_IDLE
    assert everything(db) == left
    assert events(db, 2) == ["lead.changed", "lead.hold.overrun"]
    consistent(db)


def test_an_overrun_hold_of_a_lead_that_is_over_is_left_alone(db):
    limited_lead(db, hold_limit_days=10)
    open_hold(db, 2, from_now(-15))
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 2")
    assert nightly(db) == NIGHTLY_IDLE


@pytest.mark.parametrize("how", ["single", "bulk", "close"])
def test_a_release_after_the_limit_ends_the_hold_at_the_limit(db, how):
    """Whether the job or a person comes first makes no difference to the expiry."""
    limited_lead(db, hold_limit_days=10)
    base = view(db, 2)["protection_expires_at"]
    start_at = from_now(-15)
    hold_id = open_hold(db, 2, start_at)
    if how == "single":
        release(db, 2, actor_id=5)
    elif how == "bulk":
        call(db, "release_leads", request_key="k", actor_id=5, lead_ids=[2])
    else:
        call(db, "close_lead", lead_id=2, user_id=7, outcome="LOST", reason="x", actor_id=5)
    ended = hold_row(db, hold_id)
    assert (ended["end_at"], ended["released_by"]) == (start_at + 10 * DAY, 5)
    assert view(db, 2)["protection_expires_at"] == base + 10 * DAY


def test_a_release_before_the_limit_ends_the_hold_now(db):
    limited_lead(db, hold_limit_days=10)
    start_at = from_now(-9)
    open_hold(db, 2, start_at)
    (released,) = release(db, 2)
    assert start_at + 9 * DAY < released["end_at"] < start_at + 10 * DAY


def test_the_limit_is_announced_once(db):
    limited_lead(db, hold_limit_days=10)
    hold = create(db, 2, start_at=from_now(-4))
    before = view(db, 2)
    assert nightly(db) == NIGHTLY_IDLE | {"hold_limits_announced": 1}
    assert nightly(db) == NIGHTLY_IDLE
    (row,) = log(db, "lead.hold.limit_near")
    assert (row["actor_id"], row["state_after"]) == (None, before["state"])
    limit_at = (hold["start_at"] + 10 * DAY).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (row["details"]["hold_id"], row["details"]["limit_at"]) == (hold["hold_id"], limit_at)
    # It is no change that an operator could have missed.
    assert hold_row(db, hold["hold_id"])["version"] == 1
    # Corrected, it is announced once more.
    correct(db, hold["hold_id"], 1, hold["start_at"] - DAY, None)
    assert [nightly(db)["hold_limits_announced"] for _ in range(2)] == [1, 0]
    # Overridden, when its new limit is near.
    override(db, hold["hold_id"], 2, from_now(30))
    assert nightly(db)["hold_limits_announced"] == 0
    override(db, hold["hold_id"], 3, from_now(6))
    assert [nightly(db)["hold_limits_announced"] for _ in range(2)] == [1, 0]
    consistent(db)


def test_only_open_holds_near_their_limit_are_announced(db):
    limited_lead(db, hold_limit_days=10)
    create(db, 2, start_at=from_now(-2.9))
    insert_lead_of_age(db, 3, PROTECTED)
    db.execute("UPDATE lead_protection.leads SET policy_id = (SELECT max(policy_id) FROM lead_protection.leads)")
    create(db, 3, start_at=from_now(-8), end_at=from_now(1))
    assert nightly(db) == NIGHTLY_IDLE


def test_an_override_keeps_the_hold_open(db):
    limited_lead(db, hold_limit_days=10)
    hold_id = open_hold(db, 2, from_now(-15))
    until_at = from_now(5)
    before = view(db, 2)
    answer = override(db, hold_id, 1, until_at, "the supplier said so", 99)
    assert answer["changed"] is True
    assert answer["expires_after"] == answer["expires_before"] >= before["protection_expires_at"]
    (row,) = log(db, "lead.hold.limit_overridden")
    assert (row["actor_id"], row["reason"]) == (99, "the supplier said so")
    assert row["details"]["limit_override_until"] == until_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert nightly(db)["holds_overrun"] == 0
    (standing,) = active(db)
    assert (standing["limit_at"], standing["limit_override_until"], standing["overrun"]) == (until_at, until_at, False)
    left = everything(db)
    assert override(db, hold_id, 1, until_at)["changed"] is False
    assert everything(db) == left
    # It may get an end up to there, and no later one.
    refused("LP032", correct, db, hold_id, 2, from_now(-15), until_at + MICROSECOND)
    assert correct(db, hold_id, 2, from_now(-15), until_at)["changed"] is True


def test_an_override_never_shortens_a_limit(db):
    limited_lead(db, hold_limit_days=10)
    hold = create(db, 2, start_at=from_now(-4))
    override(db, hold["hold_id"], 1, from_now(-1))
    assert active(db)[0]["limit_at"] == hold["start_at"] + 10 * DAY


def test_a_hold_that_the_job_ended_is_opened_again_after_an_override(db):
    limited_lead(db, hold_limit_days=10)
    start_at = from_now(-15)
    hold_id = open_hold(db, 2, start_at)
    nightly(db)
    refused("LP032", correct, db, hold_id, 2, start_at, None)
    override(db, hold_id, 2, from_now(5))
    answer = correct(db, hold_id, 3, start_at, None)
    assert answer["on_hold_after"] is True
    assert hold_row(db, hold_id)["overrun_at"] is None
    assert nightly(db)["holds_overrun"] == 0
    consistent(db)


def test_a_move_to_a_stricter_policy_ends_the_hold_at_its_limit(lead):
    start_at = from_now(-20)
    create(lead, start_at=start_at)
    planned = create(lead, start_at=from_now(30), end_at=from_now(60))
    base = rows(lead, "SELECT base_expires_at FROM lead_protection.lead_clocks")[0]["base_expires_at"]
    policy_id = call(lead, "create_policy_version", name="strict", actor_id=1, hold_limit_days=10)[0]["policy_id"]
    call(lead, "move_leads_to_policy", lead_ids=[1], policy_id=policy_id, reason="x", actor_id=1)
    assert active(lead)[0]["overrun"] is True
    assert nightly(lead)["holds_overrun"] == 1
    # One with an end stands as it was decided; a new one would be refused.
    assert hold_row(lead, planned["hold_id"])["end_at"] == planned["end_at"]
    refused("LP032", create, lead, start_at=from_now(70), end_at=from_now(81))
    assert view(lead)["protection_expires_at"] == base + 10 * DAY + (planned["end_at"] - planned["start_at"])
    consistent(lead)


def test_policies_with_the_same_limits_are_one_version(db):
    made = [
        (answer["version"], answer["created"])
        for limits in (
            {},
            {},
            {"hold_limit_days": 30},
            {"hold_limit_days": 30},
            {"hold_limit_days": 30, "hold_total_limit_days": 90},
            {"hold_limit_days": 30, "hold_total_limit_days": 90},
            {},
        )
        for answer in call(db, "create_policy_version", name="p", actor_id=1, **limits)
    ]
    assert made == [(1, True), (1, False), (2, True), (2, False), (3, True), (3, False), (4, True)]
    for term in ("hold_limit_days", "hold_total_limit_days"):
        for days in (0, 36501):
            error = refused("LP018", call, db, "create_policy_version", name="p", actor_id=1, **{term: days})
            assert f"{term}: {days}" in error.diag.message_detail and f"{term}: 1 to 36500" in error.diag.message_hint
    signatures = "SELECT 1 FROM pg_proc WHERE proname = 'create_policy_version'"
    assert len(rows(db, signatures)) == 1


# --- reasons ---


def test_a_code_is_filed_under_itself_and_words_under_other(lead):
    assert create(lead, reason="FFZ_PRICE_APPROVAL")["reason_code"] == "FFZ_PRICE_APPROVAL"
    words = create(lead, reason="waits for the boss", start_at=from_now(3), end_at=from_now(4))
    assert (words["reason"], words["reason_code"]) == ("waits for the boss", "OTHER")


def test_the_catalog_is_extended_by_data(lead):
    refused("LP030", create, lead, reason="FFZ_STRIKE")
    lead.execute("INSERT INTO lead_protection.hold_reasons VALUES ('FFZ_STRIKE', true, 'A strike.')")
    assert create(lead, reason="FFZ_STRIKE")["reason_code"] == "FFZ_STRIKE"


def test_a_reason_that_no_longer_stops_the_clock_moves_no_hold(lead):
    create(lead, reason="FFZ_SUPPLY_ISSUE", start_at=from_now(-5), end_at=from_now(-1))
    before = shown(lead)
    lead.execute("UPDATE lead_protection.hold_reasons SET stops_clock = false WHERE code = 'FFZ_SUPPLY_ISSUE'")
    refused("LP031", create, lead, reason="FFZ_SUPPLY_ISSUE")
    assert shown(lead) == before
    consistent(lead)


def test_free_text_stops_the_clock_only_if_other_does(lead):
    lead.execute("UPDATE lead_protection.hold_reasons SET stops_clock = false WHERE code = 'OTHER'")
    refused("LP031", create, lead, reason="in my own words")
    assert create(lead, reason="FFZ_SUPPLY_ISSUE")["created"] is True


# --- views ---


def test_active_holds(db):
    policy_id = limited_lead(db, 1, hold_limit_days=10)
    for lead_id in (2, 3, 4, 5):
        insert_lead_of_age(db, lead_id, PROTECTED)
    in_force = create(db, 1, reason="FFZ_SUPPLY_ISSUE", actor_id=5, start_at=from_now(-4))
    create(db, 1, start_at=from_now(2), end_at=from_now(3))
    create(db, 2, start_at=from_now(-4), end_at=from_now(-3))
    void(db, create(db, 2)["hold_id"], 1)
    create(db, 3)
    call(db, "transfer_lead", lead_id=3, user_id=7, new_user_id=8, reason="x", actor_id=1)
    open_hold(db, 4, from_now(-1))
    db.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 4")
    bounded = create(db, 5, start_at=from_now(-30), end_at=from_now(3))
    db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id = 5", (policy_id,))
    first, second = active(db)
    age = first.pop("age")
    assert 4 * DAY < age < 4 * DAY + timedelta(minutes=1)
    assert first == {
        "hold_id": in_force["hold_id"], "lead_id": 1, "user_id": 7, "reason_code": "FFZ_SUPPLY_ISSUE",
        "reason": "FFZ_SUPPLY_ISSUE", "start_at": in_force["start_at"], "end_at": None,
        "limit_at": in_force["start_at"] + 10 * DAY, "overrun": False, "limit_override_until": None, "version": 1,
        "created_by": 5, "created_at": in_force["created_at"],
    }  # fmt: skip
    # One with an end ends there: the nightly job leaves it alone.
    assert (second["hold_id"], second["overrun"]) == (bounded["hold_id"], False)
    assert nightly(db)["holds_overrun"] == 0
    ending = rows(db, "SELECT hold_id, ends_at, ends_by FROM lead_protection.v_holds_about_to_end ORDER BY hold_id")
    assert ending == [
        {"hold_id": in_force["hold_id"], "ends_at": in_force["start_at"] + 10 * DAY, "ends_by": "limit"},
        {"hold_id": bounded["hold_id"], "ends_at": bounded["end_at"], "ends_by": "end"},
    ]


def test_holds_that_end_later_are_not_about_to_end(db):
    limited_lead(db, 1, hold_limit_days=10)
    insert_lead_of_age(db, 2, PROTECTED)
    insert_lead_of_age(db, 3, PROTECTED)
    create(db, 1, start_at=from_now(-2.9))
    create(db, 2, start_at=from_now(-1), end_at=from_now(7.1))
    create(db, 3)
    assert rows(db, "SELECT * FROM lead_protection.v_holds_about_to_end") == []


def test_the_history_of_a_lead_tells_each_step(db):
    limited_lead(db, 1, hold_limit_days=10)
    hold = create(db, 1, reason="FFZ_SUPPLY_ISSUE", actor_id=5, start_at=from_now(-8))
    nightly(db)
    override(db, hold["hold_id"], 1, from_now(9), actor_id=2)
    correct(db, hold["hold_id"], 2, from_now(-9), None, actor_id=2)
    release(db, actor_id=3)
    void(db, hold["hold_id"], 4, actor_id=2)
    history = rows(db, "SELECT * FROM lead_protection.v_hold_history WHERE lead_id = 1 ORDER BY occurred_at")
    assert [(row["event_type"], row["actor_id"], row["hold_id"]) for row in history] == [
        ("lead.hold.created", 5, hold["hold_id"]),
        ("lead.hold.limit_near", None, hold["hold_id"]),
        ("lead.hold.limit_overridden", 2, hold["hold_id"]),
        ("lead.hold.corrected", 2, hold["hold_id"]),
        ("lead.hold.released", 3, hold["hold_id"]),
        ("lead.hold.voided", 2, hold["hold_id"]),
    ]
    assert (history[3]["hold_start_at_before"], history[3]["hold_end_at_before"]) == (hold["start_at"], None)
    assert history[3]["hold_start_at"] < hold["start_at"]
    assert history[4]["hold_end_at"] == hold_row(db, hold["hold_id"])["end_at"]


def test_leads_on_hold_by_user_and_reason(db):
    limited_lead(db, 1, hold_limit_days=10)
    for lead_id, user_id in ((2, 7), (3, 7), (4, 8), (5, 8)):
        insert_lead_of_age(db, lead_id, PROTECTED, user_id)
    open_hold(db, 1, from_now(-15))
    oldest = create(db, 2, reason="FFZ_SUPPLY_ISSUE", start_at=from_now(-3))
    create(db, 2, reason="FFZ_SUPPLY_ISSUE", start_at=from_now(-1), end_at=from_now(1))
    create(db, 3, reason="FFZ_SUPPLY_ISSUE")
    create(db, 4, user_id=8, reason="FFZ_SUPPLY_ISSUE")
    query = (
        "SELECT user_id, reason_code, leads, overrun FROM lead_protection.v_leads_on_hold ORDER BY user_id, reason_code"
    )
    assert [tuple(row.values()) for row in rows(db, query)] == [
        (7, "FFZ_SUPPLY_ISSUE", 2, 0),
        (7, "OTHER", 1, 1),
        (8, "FFZ_SUPPLY_ISSUE", 1, 0),
    ]
    (row,) = rows(db, "SELECT oldest_start_at AS at FROM lead_protection.v_leads_on_hold WHERE leads = 2")
    assert row["at"] == oldest["start_at"]


# --- two sessions ---


@pytest.fixture
def two(connect):
    """Two sessions: one whose work is committed by hand, one with autocommit."""
    return connect(autocommit=False), connect()


@pytest.fixture
def hold(lead):
    """The open hold of lead 1, made 20 days ago."""
    return create(lead, start_at=from_now(-20))


def meet(db, two, wait_until, first, second, end="commit"):
    """Interleave the two and prove that what they left is sound."""
    answer = interleave(db, wait_until, *two, first, second, end)
    consistent(db)
    return answer


def test_correct_against_correct_one_wins_and_the_other_is_told(lead, two, wait_until, hold):
    first = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-10))
    second = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    error = meet(lead, two, wait_until, first, second)
    assert error.sqlstate == "LP035" and error.diag.message_detail and error.diag.message_hint
    assert hold_row(lead, 1)["end_at"] == first.keywords["end_at"]
    assert events(lead).count("lead.hold.corrected") == 1


def test_correct_against_a_correct_that_is_taken_back(lead, two, wait_until, hold):
    first = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-10))
    second = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, first, second, "rollback")["changed"] is True
    assert (hold_row(lead, 1)["end_at"], hold_row(lead, 1)["version"]) == (second.keywords["end_at"], 2)


def test_the_same_correction_twice_at_once_is_one(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-10))
    assert meet(lead, two, wait_until, work, work)["changed"] is False
    assert events(lead).count("lead.hold.corrected") == 1


def test_a_correction_with_an_old_snapshot_is_refused(lead, connect, hold):
    old = connect(autocommit=False)
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM lead_protection.lead_holds")
    correct(lead, 1, 1, hold["start_at"], from_now(-10))
    left = everything(lead)
    with pytest.raises(Exception, match="could not serialize"):
        correct(old, 1, 1, hold["start_at"], from_now(-5))
    old.rollback()
    assert everything(lead) == left


def test_correct_after_release(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, release, work).sqlstate == "LP035"
    assert hold_row(lead, 1)["released_by"] == 1
    assert "lead.hold.corrected" not in events(lead)


def test_release_after_correct(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, work, release)[0]["released"] is False
    assert hold_row(lead, 1)["end_at"] == work.keywords["end_at"]


def test_release_after_void(lead, two, wait_until, hold):
    assert meet(lead, two, wait_until, partial(void, hold_id=1, version=1), release)[0]["released"] is False
    assert hold_row(lead, 1)["end_at"] is None and hold_row(lead, 1)["released_by"] is None


def test_void_after_release(lead, two, wait_until, hold):
    assert meet(lead, two, wait_until, release, partial(void, hold_id=1, version=1)).sqlstate == "LP035"
    assert hold_row(lead, 1)["voided_at"] is None


def test_void_against_void_is_one(lead, two, wait_until, hold):
    work = partial(void, hold_id=1, version=1)
    assert meet(lead, two, wait_until, work, work)["changed"] is False
    assert events(lead).count("lead.hold.voided") == 1


def test_correct_after_void(lead, two, wait_until, hold):
    work = partial(correct, hold_id=1, version=1, start_at=hold["start_at"], end_at=from_now(-5))
    assert meet(lead, two, wait_until, partial(void, hold_id=1, version=1), work).sqlstate == "LP035"
    assert hold_row(lead, 1)["end_at"] is None


def test_create_after_void_makes_a_new_hold(lead, two, wait_until, hold):
    made = meet(lead, two, wait_until, partial(void, hold_id=1, version=1), create)
    assert made["created"] is True and made["hold_id"] != 1


def test_create_after_a_void_that_is_taken_back_finds_the_hold(lead, two, wait_until, hold):
    made = meet(lead, two, wait_until, partial(void, hold_id=1, version=1), create, "rollback")
    assert (made["created"], made["hold_id"]) == (False, 1)


def test_void_after_create_voids_what_create_had_found(lead, two, wait_until, hold):
    assert meet(lead, two, wait_until, create, partial(void, hold_id=1, version=1))["changed"] is True
    assert active(lead) == []


def end_overrun_holds(db):
    """The step of the nightly job."""
    return call(db, "end_overrun_holds")[0]["end_overrun_holds"]


@pytest.fixture
def overrun(db):
    """A hold past its limit; its id."""
    limited_lead(db, 1, hold_limit_days=10)
    return open_hold(db, 1, from_now(-15))


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_nightly_after_override(db, two, wait_until, overrun, end):
    work = partial(override, hold_id=overrun, version=1, until_at=from_now(5))
    assert meet(db, two, wait_until, work, end_overrun_holds, end) == (1 if end == "rollback" else 0)
    assert (hold_row(db, overrun)["end_at"] is None) is (end == "commit")


def test_override_after_nightly(db, two, wait_until, overrun):
    work = partial(override, hold_id=overrun, version=1, until_at=from_now(5))
    assert meet(db, two, wait_until, end_overrun_holds, work).sqlstate == "LP035"
    assert hold_row(db, overrun)["overrun_at"] is not None


@pytest.mark.parametrize("first", ["nightly", "release"])
def test_nightly_against_release_ends_it_once_and_at_the_limit(db, two, wait_until, overrun, first):
    works = [end_overrun_holds, release]
    if first == "release":
        works.reverse()
    answer = meet(db, two, wait_until, *works)
    assert answer == 0 if first == "release" else answer[0]["released"] is False
    ended = hold_row(db, overrun)
    assert ended["end_at"] == ended["start_at"] + 10 * DAY
    assert len([event for event in events(db) if event in ("lead.hold.overrun", "lead.hold.released")]) == 1


def test_nightly_against_nightly_ends_it_once(db, two, wait_until, overrun):
    assert meet(db, two, wait_until, end_overrun_holds, end_overrun_holds) == 0
    assert events(db).count("lead.hold.overrun") == 1


def test_announcement_against_announcement_is_one(db, two, wait_until):
    limited_lead(db, 1, hold_limit_days=10)
    create(db, 1, start_at=from_now(-5))

    def announce(session):
        return call(session, "announce_hold_limits")[0]["announce_hold_limits"]

    assert meet(db, two, wait_until, announce, announce) == 0
    assert events(db).count("lead.hold.limit_near") == 1


def test_the_nightly_job_acts_only_on_leads_that_it_has_locked(db, two, wait_until, overrun):
    """While it waits for one lead another comes to be past its limit: that one is for the next run."""
    policy_id = rows(db, "SELECT policy_id FROM lead_protection.leads")[0]["policy_id"]
    insert_lead_of_age(db, 2, PROTECTED)
    create(db, 2, start_at=from_now(-20))
    db.execute("UPDATE lead_protection.leads SET changed_at = NULL")

    def move_another(session):
        release(session, 1)
        move = {"lead_ids": [2], "policy_id": policy_id, "reason": "x", "actor_id": 1}
        call(session, "move_leads_to_policy", **move)

    assert meet(db, two, wait_until, move_another, end_overrun_holds) == 0
    assert end_overrun_holds(db) == 1
    consistent(db)
