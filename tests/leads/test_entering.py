"""A lead comes in: by protect_lead(), once for each key, or as a row; both are logged and published alike."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from helpers.calls import call, call_row, make_policy, refused, row, rows
from helpers.facts import ago, drift, events, insert_lead
from helpers.lead_calls import BERLIN, EXPIRY, START, logged, payload, refused_unchanged, shown
from helpers.rows import written
from helpers.sessions import interleave


@pytest.fixture
def app(connect) -> psycopg.Connection:
    connection = connect()
    connection.execute("SET ROLE lead_protection_app")
    return connection


@pytest.fixture
def long(db) -> int:
    policy_id = make_policy(db, "long", base_months=600)
    call(db, "set_default_policy", policy_id, 5)
    return policy_id


def protect(db, key="crm-1", user_id=7, **named) -> dict:
    """Enter a lead as actor 900."""
    return call(db, "protect_lead", user_id=user_id, actor_id=900, request_key=key, **named)[0]


def test_the_answer_is_what_is_seen_and_logged_and_published(db, app, long):
    answer = protect(app, started_at=START)
    lead_id = answer["lead_id"]
    now = shown(db, lead_id)
    assert (now["user_id"], now["policy_id"], now["created_at"]) == (7, long, START)
    assert (answer["changed"], answer["user_id"], answer["state_after"]) == (True, 7, "PROTECTED")
    assert answer["expires_after"] == now["protection_expires_at"] == EXPIRY
    assert answer["reminder_due_after"] == now["reminder_due_at"]
    assert {answer[f"{what}_before"] for what in ("state", "on_hold", "expires", "reminder_due")} == {None}
    log = logged(db, "lead.created", lead_id)
    assert (log["user_id"], log["actor_id"], log["reason"]) == (7, 900, None)
    assert (log["session_role"], log["occurred_at"]) == ("postgres", answer["decided_at"])
    assert (log["state_before"], log["state_after"], log["expires_after"]) == (None, "PROTECTED", EXPIRY)
    details = {
        "started_at": START.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "policy_id": long,
        "request_key": "crm-1",
    }
    assert log["details"] == details
    told = payload(db, "lead.created", lead_id)
    assert {name: told[name] for name in details} == details
    assert (told["user_id"], told["actor_id"], told["state"]) == (7, 900, "PROTECTED")
    assert events(db) == ["lead.created"] and drift(db) == []


def test_without_a_start_it_begins_now_and_gets_the_next_number(db, app):
    first, second = protect(app), protect(app, "crm-2", user_id=8)
    assert first["lead_id"] < second["lead_id"]
    entered = row(db, "SELECT * FROM lead_protection.leads WHERE id = %s", first["lead_id"])
    assert timedelta(0) <= first["decided_at"] - entered["created_at"] < timedelta(seconds=5)
    assert (entered["created_by"], entered["request_key"], entered["created_at"]) == (
        900,
        "crm-1",
        entered["recorded_at"],
    )
    assert protect(app, "crm-3", lead_id=4711)["lead_id"] == 4711


def test_a_number_of_the_sequence_that_was_given_already_is_told_and_passed(db, app):
    insert_lead(db, protect(app)["lead_id"] + 1, ago(10))
    error = refused("LP075", protect, app, "crm-2")
    assert "takes the next" in error.diag.message_hint
    assert protect(app, "crm-2")["changed"]


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"started_at": START},
        {"started_at": datetime.now(UTC) + timedelta(minutes=4), "lead_id": 12},
    ],
)
def test_repeated_it_answers_what_was_done_and_changes_nothing(db, app, named):
    first = protect(app, **named)
    before = written(db)
    again = protect(app, **named)
    assert written(db) == before
    assert (again["lead_id"], again["user_id"], again["changed"]) == (first["lead_id"], 7, False)
    assert again["expires_before"] == again["expires_after"] == first["expires_after"]


def test_repeated_after_a_transfer_it_tells_how_the_lead_is_now(db, app):
    first = protect(app)
    call(app, "transfer_lead", first["lead_id"], 7, 8, "because", 900)
    again = protect(app)
    assert (again["lead_id"], again["user_id"], again["changed"]) == (first["lead_id"], 8, False)


@pytest.mark.parametrize(
    "other",
    [{"user_id": 8}, {"started_at": START + timedelta(seconds=1)}, {"started_at": None}, {"lead_id": 99}],
)
def test_another_request_under_the_key_is_refused(db, app, other):
    first = protect(app, started_at=START)
    before = written(db)
    error = refused("LP020", protect, app, **({"started_at": START} | other))
    assert f"lead {first['lead_id']} for user 7" in error.diag.message_detail
    assert written(db) == before


def test_another_policy_is_for_operators(db, app, connect, long):
    generous = make_policy(db, "generous", base_months=1200)
    assert "policy" in str(refused("LP074", protect, app, policy_id=generous))
    assert events(db) == []
    operator = connect()
    operator.execute("SET ROLE lead_protection_operator")
    answer = protect(operator, policy_id=generous)
    assert shown(db, answer["lead_id"])["policy_id"] == generous
    assert protect(operator, policy_id=generous)["changed"] is False
    refused("LP020", protect, operator, policy_id=long)
    refused("LP019", protect, operator, "crm-2", policy_id=999999)
    # An application gets its user's.
    call(db, "assign_user_policy", 8, generous, 5)
    assert shown(db, protect(app, "crm-3", user_id=8)["lead_id"])["policy_id"] == generous


@pytest.mark.parametrize(
    ("sqlstate", "named"),
    [
        ("LP001", {"user_id": None}),
        ("LP001", {"actor_id": None}),
        ("LP001", {"request_key": None}),
        ("LP004", {"request_key": " "}),
        ("LP004", {"request_key": "x" * 256}),
        ("LP005", {"started_at": "1899-12-31"}),
        ("LP005", {"started_at": "infinity"}),
        ("LP010", {"started_at": datetime.now(UTC) + timedelta(days=1)}),
        ("LP075", {"lead_id": 1}),
    ],
)
def test_what_makes_no_sense_is_refused(db, sqlstate, named):
    insert_lead(db, 1, ago(10))
    before = written(db)
    arguments = {"user_id": 7, "actor_id": 900, "request_key": "crm-1"} | named
    refused(sqlstate, call, db, "protect_lead", **arguments)
    assert written(db) == before


def test_of_two_at_once_one_enters_the_lead(db, two, wait_until):
    answer = interleave(db, wait_until, two, protect, protect)
    assert (answer["lead_id"], answer["changed"]) == (row(db, "SELECT id FROM lead_protection.leads")["id"], False)


def test_an_insert_is_logged_and_published_with_the_role_as_its_author(db, app):
    app.execute("INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (1, 7, %s)", (ago(10),))
    log = logged(db, "lead.created")
    assert (log["user_id"], log["actor_id"], log["session_role"]) == (7, None, "postgres")
    assert log["details"] == {"started_at": log["details"]["started_at"], "policy_id": shown(db)["policy_id"]}
    assert payload(db, "lead.created")["state"] == log["state_after"] == "PROTECTED"
    assert "actor_id" not in payload(db, "lead.created")


def test_an_orm_writes_null_for_what_it_has_no_value_for(db, app):
    app.execute("INSERT INTO lead_protection.leads (user_id, created_at, closed_at) VALUES (7, NULL, NULL)")
    entered = row(db, "SELECT created_at - now() AS ahead, closed_at FROM lead_protection.leads")
    assert abs(entered["ahead"]) < timedelta(seconds=30) and entered["closed_at"] is None
    with pytest.raises(psycopg.errors.NotNullViolation):
        db.execute("UPDATE lead_protection.leads SET created_at = NULL")


def test_a_free_lead_and_a_closed_one_come_in_as_such(db, app):
    app.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (1, NULL)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="as closed"):
        app.execute("INSERT INTO lead_protection.leads (user_id, closed_at) VALUES (7, now())")
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, closed_at) VALUES (2, 7, %s, %s)",
        (START, datetime(2024, 3, 1, tzinfo=BERLIN)),
    )
    free, closed = logged(db, "lead.created", 1), logged(db, "lead.created", 2)
    assert (free["state_after"], free["expires_after"], free["user_id"]) == ("FREE", None, None)
    assert set(free["details"]) == {"started_at"}
    assert (closed["state_after"], closed["details"]["closed_at"]) == ("CLOSED", "2024-02-29T23:00:00.000000Z")


def test_many_rows_at_once_are_one_statement_of_the_log(db):
    """The event of each, in time that grows as the rows do."""
    db.execute("INSERT INTO lead_protection.leads (user_id, created_at) SELECT 7, now() FROM generate_series(1, 3000)")
    instants = rows(db, "SELECT occurred_at, count(*) FROM lead_protection.protection_log GROUP BY 1")
    assert [r["count"] for r in instants] == [3000]
    assert events(db) == ["lead.created"] * 3000


def test_a_row_that_was_a_lead_before_is_no_news(db):
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at) VALUES (1, 7, %s, now())", (ago(10),)
    )
    assert events(db) == [] and shown(db)["state"] == "PROTECTED"


def test_a_consumer_is_told_of_a_lead_that_came_in(db, app):
    call(db, "register_event_consumer", "crm", ["lead.created"])
    answer = protect(app)
    (event,) = db.cursor(row_factory=dict_row).execute("SELECT * FROM lead_protection.claim_events('crm')").fetchall()
    assert event["payload"]["lead_id"] == answer["lead_id"]


def test_a_number_of_an_adopted_table_is_refused_to_a_call_as_to_a_row(db):
    db.execute(
        "CREATE TABLE public.crm (id int PRIMARY KEY, user_id int, created_at timestamptz);"
        "INSERT INTO public.crm VALUES (1000, 7, now())"
    )
    db.execute("CALL lead_protection.adopt_leads('public.crm', 1)")
    assert events(db) == []
    refused_unchanged(db, "LP065", "protect_lead(7, 900, 'crm-1', NULL, 5)")
    assert call_row(db, "protect_lead(7, 900, 'crm-1')")["lead_id"] >= 4 * 10**15
