"""What happened to a lead, as an application may show it to the lead's user."""

import psycopg
import pytest

from helpers.calls import call, refused, rows
from helpers.facts import PROTECTED, ago, insert_lead_of_age
from helpers.hold_calls import create


@pytest.fixture
def app(connect) -> psycopg.Connection:
    connection = connect()
    connection.execute("SET ROLE lead_protection_app")
    return connection


@pytest.fixture
def lead_id(app) -> int:
    """A lead with a history, told in words that name persons."""
    (answer,) = call(app, "protect_lead", 7, 900, "crm-1", ago(100))
    lead_id = answer["lead_id"]
    create(app, lead_id, reason="said Mrs Muster", actor_id=901)
    create(app, lead_id, reason="said Mr Muster", start_at=ago(-3), end_at=ago(-4), actor_id=901)
    call(app, "backdate_lead", lead_id, 7, ago(110), "said Mrs Muster", "mail of Mrs Muster", 902)
    call(app, "transfer_lead", lead_id, 7, 8, "said Mrs Muster", 903)
    return lead_id


def test_an_application_reads_what_happened_in_order(app, db, lead_id):
    told = call(app, "lead_log", lead_id)
    assert [(r["event_type"], r["user_id"], r["actor_id"], r["state_before"], r["state_after"]) for r in told] == [
        ("lead.created", 7, 900, None, "PROTECTED"),
        ("lead.hold.created", 7, 901, "PROTECTED", "PROTECTED"),
        ("lead.hold.created", 7, 901, "PROTECTED", "PROTECTED"),
        ("lead.protection.backdated", 7, 902, "PROTECTED", "PROTECTED"),
        ("lead.hold.released", 7, 903, "PROTECTED", "PROTECTED"),
        ("lead.hold.released", 7, 903, "PROTECTED", "PROTECTED"),
        ("lead.protection.transferred", 8, 903, "PROTECTED", "PROTECTED"),
    ]
    meanings = dict(db.execute("SELECT type, meaning FROM lead_protection.event_types").fetchall())
    assert [r["meaning"] for r in told] == [meanings[r["event_type"]] for r in told]
    logged = rows(db, "SELECT event_id, occurred_at, expires_before, expires_after FROM lead_protection.protection_log")
    assert {tuple(r.values()) for r in logged} == {
        (r["event_id"], r["occurred_at"], r["expires_before"], r["expires_after"]) for r in told
    }
    assert told[0]["details"]["request_key"] == "crm-1" and told[1]["details"]["hold_id"]


def test_what_others_wrote_is_left_out(app, lead_id):
    assert "Muster" not in str(call(app, "lead_log", lead_id))


def test_of_another_lead_nothing_is_told(app, db, lead_id):
    insert_lead_of_age(db, 4711, PROTECTED)
    assert call(app, "lead_log", 4711) == []


def test_unknown_leads_and_null_are_refused(app):
    refused("LP002", call, app, "lead_log", 99)
    refused("LP001", call, app, "lead_log", None)


def test_it_is_not_for_consumers(connect):
    consumer = connect()
    consumer.execute("SET ROLE lead_protection_consumer")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(consumer, "lead_log", 1)
