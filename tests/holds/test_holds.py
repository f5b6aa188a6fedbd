"""create_lead_hold and release_lead_hold: what they do, what a repeat does, what they refuse."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from helpers.calls import row, rows
from helpers.facts import EXPIRED, PROTECTED, events, insert_lead_of_age
from helpers.hold_calls import create, release, told_of_hold, view

LEAD, USER, ACTOR = 42, 7, 99


@pytest.fixture
def lead(db):
    """The connection, to a database with one protected lead."""
    insert_lead_of_age(db, LEAD, PROTECTED)
    return db


def holds(db):
    """All holds, oldest first."""
    return rows(db, "SELECT * FROM lead_protection.lead_holds ORDER BY id")


def test_create_stops_the_clock_now(lead):
    before = view(lead, LEAD)
    hold = create(lead, LEAD, USER, "SUPPLY_ISSUE", ACTOR)
    after = view(lead, LEAD)
    assert hold["created"] is True and hold["released"] is False
    assert (hold["reason"], hold["created_by"], hold["end_at"]) == ("SUPPLY_ISSUE", ACTOR, None)
    assert (before["on_hold"], before["state"]) == (False, "PROTECTED")
    assert (after["on_hold"], after["state"], after["reminder_due_at"]) == (True, "PROTECTED", None)
    assert after["protection_expires_at"] > before["protection_expires_at"]
    assert events(lead) == ["lead.hold.created"]


def test_repeated_create_returns_the_standing_hold(lead):
    first = create(lead, LEAD, USER, "SUPPLY_ISSUE", ACTOR)
    second = create(lead, LEAD, USER, "another reason", 1)
    assert told_of_hold(second) == told_of_hold(first) | {"created": False}
    assert (second["state_before"], second["on_hold_before"]) == (first["state_after"], True)
    assert len(holds(lead)) == 1
    assert events(lead) == ["lead.hold.created"]


def test_release_adds_exactly_the_length_of_the_hold(lead):
    before = view(lead, LEAD)
    start_at = datetime.now(UTC) - timedelta(days=3, microseconds=1)
    create(lead, lead_id=LEAD, user_id=USER, reason="x", actor_id=ACTOR, start_at=start_at)
    (hold,) = release(lead, LEAD, USER, 100)
    after = view(lead, LEAD)
    assert (hold["released"], hold["created"], hold["released_by"]) == (True, False, 100)
    assert (hold["state_before"], hold["on_hold_before"]) == (before["state"], True)
    assert (hold["on_hold_after"], hold["expires_after"]) == (False, after["protection_expires_at"])
    assert hold["reminder_due_after"] == after["reminder_due_at"]
    elapsed = hold["end_at"] - start_at
    assert after["protection_expires_at"] == before["protection_expires_at"] + elapsed
    assert after["on_hold"] is False
    assert events(lead) == ["lead.hold.created", "lead.hold.released"]


def test_release_without_a_hold_says_so_and_changes_nothing(lead):
    (answer,) = release(lead, LEAD, USER, ACTOR)
    assert (answer["hold_id"], answer["released"]) == (None, False)
    assert holds(lead) == [] and events(lead) == []


def test_repeated_release_changes_nothing(lead):
    create(lead, LEAD, USER, "x", ACTOR)
    release(lead, LEAD, USER, ACTOR)
    standing = holds(lead)
    (answer,) = release(lead, LEAD, USER, 1)
    assert (answer["hold_id"], answer["released"]) == (None, False)
    assert holds(lead) == standing
    assert events(lead) == ["lead.hold.created", "lead.hold.released"]


def test_a_released_lead_can_be_held_again(lead):
    create(lead, LEAD, USER, "x", ACTOR)
    release(lead, LEAD, USER, ACTOR)
    assert create(lead, LEAD, USER, "y", ACTOR)["created"] is True
    assert len(holds(lead)) == 2


def test_planned_hold_counts_in_full_at_once(lead):
    before = view(lead, LEAD)
    start_at = datetime.now(UTC) + timedelta(days=2)
    planned = {"lead_id": LEAD, "user_id": USER, "reason": "x", "actor_id": ACTOR, "start_at": start_at}
    planned["end_at"] = start_at + timedelta(days=14)
    hold = create(lead, **planned)
    after = view(lead, LEAD)
    assert hold["created"] is True
    assert after["on_hold"] is False
    assert after["protection_expires_at"] == before["protection_expires_at"] + timedelta(days=14)
    again = create(lead, **planned)
    assert told_of_hold(again) == told_of_hold(hold) | {"created": False}
    assert again["expires_before"] == hold["expires_after"]
    assert len(holds(lead)) == 1


def test_release_ends_a_planned_hold_under_way_and_leaves_one_that_has_not_begun(lead):
    now = datetime.now(UTC)
    for start_at in (now - timedelta(days=1), now + timedelta(days=30)):
        create(
            lead,
            lead_id=LEAD,
            user_id=USER,
            reason="x",
            actor_id=ACTOR,
            start_at=start_at,
            end_at=start_at + timedelta(days=5),
        )
    create(lead, LEAD, USER, "and an open one", ACTOR)
    released = release(lead, LEAD, USER, ACTOR)
    assert [hold["released"] for hold in released] == [True, True]
    assert view(lead, LEAD)["on_hold"] is False
    assert [hold["released_by"] for hold in holds(lead)] == [ACTOR, None, ACTOR]


def test_log_tells_before_and_after(lead):
    start_at = datetime.now(UTC) - timedelta(days=10)
    before = view(lead, LEAD)
    create(lead, lead_id=LEAD, user_id=USER, reason="why", actor_id=ACTOR, start_at=start_at)
    entry = row(lead, "SELECT * FROM lead_protection.protection_log")
    assert (entry["actor_id"], entry["reason"]) == (ACTOR, "why")
    assert (entry["state_before"], entry["state_after"]) == ("PROTECTED", "PROTECTED")
    assert entry["expires_before"] == before["protection_expires_at"]
    assert entry["expires_after"] == before["protection_expires_at"] + (entry["occurred_at"] - start_at)


def test_event_has_ids_and_utc_instants_and_no_free_text(lead):
    lead.execute("SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard'")
    lead.execute("SELECT lead_protection.create_lead_hold(%s, %s, 'Mr Smith is ill', %s)", (LEAD, USER, ACTOR))
    lead.execute("RESET ALL")
    (hold,) = holds(lead)
    event = row(lead, "SELECT * FROM lead_protection.outbox_events")
    assert (event["aggregatetype"], event["aggregateid"], event["type"]) == ("lead", str(LEAD), "lead.hold.created")
    payload = event["payload"]
    assert datetime.fromisoformat(payload["hold_start_at"]) == hold["start_at"]
    instants = {name for name in payload if name.endswith("_at")}
    assert instants == {"hold_start_at", "occurred_at", "protection_expires_at"}
    assert all(payload[name].endswith("Z") for name in instants)
    assert payload | {"hold_start_at": 0, "occurred_at": 0, "protection_expires_at": 0} == {
        "lead_id": LEAD,
        "user_id": USER,
        "actor_id": ACTOR,
        "hold_id": hold["id"],
        "state": "PROTECTED",
        "hold_start_at": 0,
        "occurred_at": 0,
        "protection_expires_at": 0,
    }


NOW = datetime.now(UTC)
DAY = timedelta(days=1)
GOOD = {"lead_id": LEAD, "user_id": USER, "reason": "x", "actor_id": ACTOR}


@pytest.mark.parametrize(
    ("sqlstate", "changed"),
    [
        ("LP001", {"lead_id": None}),
        ("LP001", {"user_id": None}),
        ("LP001", {"actor_id": None}),
        ("LP002", {"lead_id": 1000}),
        ("LP003", {"user_id": 8}),
        ("LP004", {"reason": None}),
        ("LP004", {"reason": ""}),
        ("LP004", {"reason": " \t\n"}),
        ("LP004", {"reason": "x" * 256}),
        ("LP005", {"start_at": "infinity"}),
        ("LP005", {"start_at": "-infinity"}),
        ("LP005", {"end_at": "infinity"}),
        ("LP005", {"end_at": "20270-01-01Z"}),
        ("LP005", {"start_at": "1026-01-01Z", "end_at": NOW}),
        ("LP006", {"end_at": NOW - DAY}),
        ("LP006", {"start_at": NOW, "end_at": NOW}),
        ("LP006", {"start_at": NOW, "end_at": NOW - DAY}),
        ("LP007", {"start_at": NOW + DAY}),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(lead, sqlstate, changed):
    with pytest.raises(psycopg.Error) as refused:
        create(lead, **(GOOD | changed))
    assert refused.value.sqlstate == sqlstate
    assert refused.value.diag.message_detail and refused.value.diag.message_hint
    assert holds(lead) == [] and events(lead) == []


@pytest.mark.parametrize(("sqlstate", "days", "closed"), [("LP008", EXPIRED, False), ("LP009", PROTECTED, True)])
def test_no_hold_on_an_expired_or_closed_lead(lead, sqlstate, days, closed):
    insert_lead_of_age(lead, 1, days)
    if closed:
        lead.execute("UPDATE lead_protection.leads SET closed_at = now() WHERE id = 1")
    with pytest.raises(psycopg.Error) as refused:
        create(lead, **(GOOD | {"lead_id": 1}))
    assert refused.value.sqlstate == sqlstate
    assert holds(lead) == [] and events(lead) == (["lead.changed"] if closed else [])


@pytest.mark.parametrize(
    ("sqlstate", "arguments"),
    [
        ("LP001", (None, USER, ACTOR)),
        ("LP001", (LEAD, None, ACTOR)),
        ("LP001", (LEAD, USER, None)),
        ("LP002", (1000, USER, ACTOR)),
        ("LP003", (LEAD, 8, ACTOR)),
    ],
)
def test_bad_release_is_refused_and_changes_nothing(lead, sqlstate, arguments):
    create(lead, LEAD, USER, "x", ACTOR)
    standing = holds(lead)
    with pytest.raises(psycopg.Error) as refused:
        release(lead, *arguments)
    assert refused.value.sqlstate == sqlstate
    assert holds(lead) == standing


def test_create_and_release_in_one_transaction_count_the_time_between(lead):
    before = view(lead, LEAD)
    with lead.transaction():
        create(lead, LEAD, USER, "x", ACTOR)
        (hold,) = release(lead, LEAD, USER, ACTOR)
    elapsed = hold["end_at"] - hold["start_at"]
    assert elapsed > timedelta(0)
    assert view(lead, LEAD)["protection_expires_at"] == before["protection_expires_at"] + elapsed


def test_release_of_a_closed_leads_hold_moves_nothing(lead):
    start_at = datetime.now(UTC) - timedelta(days=40)
    create(lead, lead_id=LEAD, user_id=USER, reason="x", actor_id=ACTOR, start_at=start_at)
    closed_at = start_at + timedelta(days=10)
    lead.execute("UPDATE lead_protection.leads SET closed_at = %s", (closed_at,))
    before = view(lead, LEAD)
    (hold,) = release(lead, LEAD, USER, ACTOR)
    assert (hold["released"], hold["end_at"]) == (True, closed_at)
    assert view(lead, LEAD) == before | {"state": "CLOSED"}


def test_only_holds_and_reminders_of_the_present_user_count(lead):
    """What stood for another user, before the lead changed hands or by mistake, moves nothing."""
    before = view(lead, LEAD)
    lead.execute(
        "INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by)"
        " VALUES (%(lead)s, 8, 'x', now() - INTERVAL '9 days', now() + INTERVAL '9 days', 1),"
        " (%(lead)s, 8, 'x', now() - INTERVAL '9 days', NULL, 1);",
        {"lead": LEAD},
    )
    lead.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " VALUES (%s, 8, '2026-01-01', now() + INTERVAL '1 day', now(), now())",
        (LEAD,),
    )
    assert view(lead, LEAD) == before
