"""transfer_leads and close_leads: what the call for each lead alone does, with a row for each; a key is one request."""

import time

import psycopg
import pytest

from helpers.calls import call, make_policy, refused, rows
from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, drift, events, insert_lead_of_age
from helpers.guards import but_by_night
from helpers.hold_calls import create, from_now
from helpers.lead_calls import payload
from helpers.rows import written
from helpers.sessions import interleave

ALL = [99, 6, 5, 4, 3, 2, 1]


def transfer_leads(db, key="k", new_user_id=8, **more):
    """Transfer leads as actor 5."""
    return call(db, "transfer_leads", request_key=key, new_user_id=new_user_id, reason="left", actor_id=5, **more)


def close_leads(db, key="k", outcome="LOST", **more):
    """Close leads as actor 5."""
    return call(db, "close_leads", request_key=key, outcome=outcome, reason="left", actor_id=5, **more)


BULK = pytest.mark.parametrize("bulk", [transfer_leads, close_leads])


def outcomes(answer):
    return [(row["lead_id"], row["outcome"], row["sqlstate"]) for row in answer]


@pytest.fixture
def mixed(db):
    """Lead 2 is closed as LOST, 3 on hold, 4 expired and not recorded, 5 free, 6 user 8's; 99 is unknown."""
    for lead_id, age in enumerate([PROTECTED, PROTECTED, REMINDER_DUE, EXPIRED, PROTECTED], start=1):
        insert_lead_of_age(db, lead_id, age)
    insert_lead_of_age(db, 6, PROTECTED, user_id=8)
    call(db, "close_lead", 2, 7, "LOST", "x", 1)
    create(db, 3)
    create(db, 3, start_at=from_now(1), end_at=from_now(2))
    call(db, "give_back_lead", 5, 7, "x", 1)
    return db


def test_a_transfer_has_a_row_for_each_lead(mixed):
    answer = transfer_leads(mixed, lead_ids=[*ALL, 1])
    assert outcomes(answer) == [
        (1, "done", None),
        (2, "refused", "LP009"),
        (3, "done", None),
        (4, "done", None),
        (5, "done", None),
        (6, "already", None),
        (99, "refused", "LP002"),
    ]
    assert [row["user_id"] for row in answer] == [7, 7, 7, 7, None, 8, None]
    assert {(row["action"], row["request_key"], row["hold_id"]) for row in answer} == {("transfer", "k", None)}
    now = rows(
        mixed, "SELECT lead_id, user_id, state, on_hold FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    )
    assert [tuple(r.values()) for r in now] == [
        (n, 7 if n == 2 else 8, "CLOSED" if n == 2 else "PROTECTED", False) for n in range(1, 7)
    ]
    assert payload(mixed, "lead.protection.transferred", 1)["request_key"] == "k"
    assert "lead.protection.expired" in events(mixed, 4) and drift(mixed) == []


def test_a_closing_has_a_row_for_each_lead(mixed):
    answer = close_leads(mixed, lead_ids=ALL)
    assert outcomes(answer) == [
        (1, "done", None),
        (2, "already", None),
        (3, "done", None),
        (4, "done", None),
        (5, "done", None),
        (6, "done", None),
        (99, "refused", "LP002"),
    ]
    assert {row["action"] for row in answer} == {"close"}
    assert outcomes(close_leads(mixed, "other", "CONVERTED", lead_ids=[2, 3])) == [
        (2, "refused", "LP009"),
        (3, "refused", "LP009"),
    ]
    assert payload(mixed, "lead.closed", 6)["request_key"] == "k" and drift(mixed) == []


@pytest.mark.parametrize(
    ("bulk", "single"),
    [
        (transfer_leads, "transfer_lead({}, {}, 8, 'left', 5)"),
        (close_leads, "close_lead({}, {}, 'LOST', 'left', 5)"),
    ],
)
def test_what_is_done_and_logged_is_what_the_single_call_does(mixed, connect, bulk, single):
    """The same log, apart from instants and the key, in the same order."""
    mixed.execute("BEGIN")
    bulk(mixed, lead_ids=[1, 3, 4, 5])
    log = (
        "SELECT lead_id, event_type, user_id, actor_id, reason, state_before, state_after"
        ", details - 'request_key' - 'hold_end_at' AS details"
        " FROM lead_protection.protection_log WHERE lead_id IN (1, 3, 4, 5) ORDER BY lead_id, recorded_at"
    )
    ledgers = "SELECT lead_id, user_id, reactivated_at IS NULL AS stands FROM lead_protection.lead_expiries"
    left, ended = rows(mixed, log), rows(mixed, ledgers)
    mixed.execute("ROLLBACK")
    for lead_id, user_id in ((1, 7), (3, 7), (4, 7), (5, "NULL")):
        mixed.execute(f"SELECT lead_protection.{single.format(lead_id, user_id)}")
    assert [r["event_type"] for r in left] != [] and left == rows(mixed, log)
    assert ended == rows(mixed, ledgers) != []


@BULK
def test_by_user_takes_the_open_leads_of_that_user(mixed, bulk):
    assert outcomes(bulk(mixed, user_id=7)) == [(1, "done", None), (3, "done", None), (4, "done", None)]


def test_a_new_protection_begins_under_the_policy_of_the_new_user(mixed):
    policy_id = make_policy(mixed, "agents", base_months=12)
    call(mixed, "assign_user_policy", 8, policy_id, 5)
    transfer_leads(mixed, lead_ids=[1, 5])
    assert rows(mixed, "SELECT policy_id FROM lead_protection.leads WHERE id IN (1, 5)") == [
        {"policy_id": policy_id},
        {"policy_id": policy_id},
    ]


@BULK
@pytest.mark.parametrize("of", [{"lead_ids": ALL}, {"user_id": 7}], ids=str)
def test_a_repeated_request_answers_the_same_and_does_nothing(mixed, bulk, of):
    first = bulk(mixed, **of)
    insert_lead_of_age(mixed, 7, PROTECTED)
    before = written(mixed)
    assert bulk(mixed, **of) == first
    assert written(mixed) == before


@pytest.mark.parametrize(
    ("sqlstate", "bulk", "named"),
    [
        ("LP001", transfer_leads, {"new_user_id": None, "user_id": 7}),
        ("LP001", close_leads, {"outcome": None, "user_id": 7}),
        ("LP004", transfer_leads, {"key": " ", "user_id": 7}),
        ("LP020", transfer_leads, {"key": "used", "lead_ids": [1]}),
        ("LP020", transfer_leads, {"key": "used", "user_id": 8, "new_user_id": 9}),
        ("LP020", close_leads, {"key": "used", "user_id": 8}),
        ("LP027", close_leads, {"outcome": "DELETED", "user_id": 7}),
        ("LP037", transfer_leads, {}),
        ("LP037", close_leads, {"lead_ids": [1, None]}),
        ("LP037", close_leads, {"lead_ids": [1], "user_id": 7}),
    ],
)
def test_refused_as_a_whole_with_nothing_done(mixed, sqlstate, bulk, named):
    transfer_leads(mixed, "used", user_id=8)
    before = written(mixed)
    refused(sqlstate, bulk, mixed, **named)
    assert written(mixed) == before


@BULK
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_same_key_twice_at_once_is_one_request(mixed, two, wait_until, bulk, end):
    def work(session):
        return bulk(session, lead_ids=[1, 3])

    answer = interleave(mixed, wait_until, two, work, work, end)
    assert outcomes(answer) == [(1, "done", None), (3, "done", None)]
    told = "lead.protection.transferred" if bulk is transfer_leads else "lead.closed"
    assert events(mixed, 1) == [told]


def test_a_lead_that_is_closed_meanwhile_is_refused(mixed, two, wait_until):
    answer = interleave(
        mixed,
        wait_until,
        two,
        lambda first: call(first, "close_lead", 1, 7, "LOST", "x", 1),
        lambda second: transfer_leads(second, lead_ids=[1, 3]),
    )
    assert outcomes(answer) == [(1, "refused", "LP009"), (3, "done", None)]


def test_a_bulk_transfer_after_a_concurrent_change_is_to_be_run_again(mixed, connect):
    session = connect(autocommit=False)
    session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    session.execute("SELECT FROM lead_protection.leads")
    call(mixed, "close_lead", 1, 7, "LOST", "x", 1)
    with pytest.raises(psycopg.errors.SerializationFailure):
        transfer_leads(session, lead_ids=[1])


@pytest.mark.slow("thousands of leads, in a time that is compared")
@pytest.mark.parametrize(
    "bulk",
    but_by_night(
        [transfer_leads, close_leads],
        [transfer_leads],
        "the other call with the same frame",
        "leads/test_bulk_leads.py::test_it_is_linear_without_statistics",
    ),
)
def test_it_is_linear_without_statistics(db, bulk):
    for table in ("leads", "lead_holds", "lead_clocks", "lead_reminders", "lead_extensions", "lead_activities"):
        db.execute(f"ALTER TABLE lead_protection.{table} SET (autovacuum_enabled = off)")
    taken = []
    for part, leads in enumerate((500, 4000)):
        ids = [
            r["id"]
            for r in rows(
                db,
                "INSERT INTO lead_protection.leads (user_id, created_at, changed_at)"
                " SELECT 7, now() - INTERVAL '30 days', now() FROM generate_series(1, %s) RETURNING id",
                (leads,),
            )
        ]
        call(db, "hold_leads", request_key=f"hold {part}", reason="x", actor_id=1, lead_ids=ids)
        started = time.monotonic()
        assert {row["outcome"] for row in bulk(db, f"bulk {part}", lead_ids=ids)} == {"done"}
        taken.append((time.monotonic() - started) / leads)
    assert taken[1] < 3.5 * taken[0], taken
