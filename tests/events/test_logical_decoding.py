"""The outbox through a replication slot, as Debezium reads it, with what docs/debezium.md sets up."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age
from helpers.pages import blocks
from helpers.project import PROJECT

PAGE = PROJECT / "docs" / "debezium.md"
OUTBOX = (
    'SELECT id::text, aggregatetype, aggregateid, type, payload::text, "timestamp"::text, sequence_number::text'
    " FROM lead_protection.outbox_events ORDER BY sequence_number"
)


@dataclass
class Change:
    """One change of a row, as pgoutput tells it: kind I, U or D, the table, its values as text."""

    kind: str
    table: str
    values: tuple


def decode(messages: list[bytes]) -> list[Change]:
    """Read pgoutput's messages, protocol version 1: relations and changes; BEGIN and COMMIT are passed over."""
    relations, changes = {}, []
    for message in messages:
        kind, body = chr(message[0]), message[1:]
        if kind == "R":
            (oid,) = struct.unpack_from(">I", body)
            schema, table = (part.decode() for part in body[4:].split(b"\0", 2)[:2])
            relations[oid] = f"{schema}.{table}"
        elif kind in "IUD":
            (oid,) = struct.unpack_from(">I", body)
            assert chr(body[4]) == "N" or kind != "I"
            (count,) = struct.unpack_from(">H", body, 5)
            at = 7
            values: list[str | None] = []
            for _ in range(count):
                if chr(body[at]) == "t":
                    (length,) = struct.unpack_from(">I", body, at + 1)
                    values.append(body[at + 5 : at + 5 + length].decode())
                    at += 5 + length
                else:
                    values.append(None)
                    at += 1
            changes.append(Change(kind, relations[oid], tuple(values)))
    return changes


@pytest.fixture
def slot(db, server) -> Iterator[str]:
    """A slot for the publication of the documentation, gone afterwards: a database with a slot cannot be dropped."""
    for block in blocks(PAGE):
        server.psql(stdin=block.text, dbname=db.info.dbname)
    name = "outbox_of_this_test"
    db.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    yield name
    db.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
    )
    db.execute("DROP PUBLICATION lead_protection_outbox")
    db.execute("DROP OWNED BY debezium_example; DROP ROLE debezium_example")


def flush(db: psycopg.Connection) -> None:
    """Have the log on disk: the tests' server does not wait for that, and a slot gives nothing before."""
    db.execute("SET synchronous_commit = on")
    db.execute("SELECT pg_logical_emit_message(true, 'test', '')")


def read(db: psycopg.Connection, slot: str) -> list[Change]:
    """What the slot has had since the last time."""
    flush(db)
    rows = db.execute(
        "SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, NULL,"
        " 'proto_version', '1', 'publication_names', 'lead_protection_outbox')",
        (slot,),
    )
    return decode([bytes(row[0]) for row in rows])


def work(db: psycopg.Connection) -> None:
    """Let things happen to leads."""
    for lead_id, age in ((1, PROTECTED), (2, REMINDER_DUE), (3, EXPIRED)):
        insert_lead_of_age(db, lead_id, age)
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    db.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("SELECT lead_protection.close_lead(2, 7, 'CONVERTED', 'x', 1)")


def test_the_slot_gives_every_event_as_it_is_and_nothing_else(db, slot):
    work(db)
    changes = read(db, slot)
    assert {(change.kind, change.table) for change in changes} == {("I", "lead_protection.outbox_events")}
    assert [change.values for change in changes] == db.execute(OUTBOX).fetchall()
    # The log's seal is one of them.
    assert len(changes) == 6
    assert read(db, slot) == []


def test_it_gives_nothing_of_what_was_rolled_back(db, slot, connect):
    insert_lead_of_age(db, 1, PROTECTED)
    session = connect(autocommit=False)
    session.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    session.rollback()
    db.execute("SELECT count(*) FROM lead_protection.create_lead_hold(1, 7, 'x', 1, dry_run => true)")
    assert read(db, slot) == []


def test_a_late_commit_comes_late_and_each_lead_in_its_order(db, slot, connect):
    for lead_id in (1, 2):
        insert_lead_of_age(db, lead_id, PROTECTED)
    late = connect(autocommit=False)
    late.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
    db.execute("SELECT lead_protection.create_lead_hold(2, 7, 'x', 1)")
    db.execute("SELECT lead_protection.release_lead_hold(2, 7, 1)")
    assert [(change.values[2], change.values[3]) for change in read(db, slot)] == [
        ("2", "lead.hold.created"),
        ("2", "lead.hold.released"),
    ]
    late.execute("SELECT lead_protection.release_lead_hold(1, 7, 1)")
    late.commit()
    assert [(change.values[2], change.values[3]) for change in read(db, slot)] == [
        ("1", "lead.hold.created"),
        ("1", "lead.hold.released"),
    ]


def test_retention_and_deliveries_are_no_news(db, slot):
    db.execute("SELECT lead_protection.register_event_consumer('crm')")
    work(db)
    read(db, slot)
    db.execute("SELECT lead_protection.unregister_event_consumer('crm')")
    db.execute(
        "ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER refuse_change;"
        "UPDATE lead_protection.outbox_events SET \"timestamp\" = now() - INTERVAL '91 days'"
    )
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    assert db.execute(OUTBOX).fetchall() == []
    assert read(db, slot) == []


def test_test_decoding_sees_inserts_only_too(db, slot):
    """In the log itself, before any publication filters it: the outbox is insert-only."""
    db.execute("SELECT pg_create_logical_replication_slot('all_of_this_test', 'test_decoding')")
    db.execute("SELECT lead_protection.register_event_consumer('crm')")
    work(db)
    flush(db)
    changes = db.execute(
        "SELECT data FROM pg_logical_slot_get_changes('all_of_this_test', NULL, NULL)"
        " WHERE data LIKE 'table lead_protection.outbox_events:%'"
    ).fetchall()
    # The log's seal is one of them.
    assert len(changes) == 6
    assert all(row[0].startswith("table lead_protection.outbox_events: INSERT: id[uuid]:") for row in changes)
