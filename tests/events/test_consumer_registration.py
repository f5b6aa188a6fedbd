"""Consumers of events: registered, registered again, removed; nothing is passed over."""

import threading
from datetime import timedelta

import psycopg
import pytest

from helpers.consumer_calls import (
    CREATED,
    RELEASED,
    acknowledge,
    claim,
    count_events,
    emit,
    register,
    statuses,
)

# --- registering ---


def test_a_consumer_gets_what_comes_after_and_only_its_types(db, leads):
    emit(db)
    register(db, types=[CREATED])
    register(db, "all")
    emit(db)
    assert [event.type for event in claim(db)] == [CREATED]
    assert statuses(db, "all") == ["pending", "pending"]


@pytest.mark.parametrize(("since", "expected"), [("-infinity", 2), (None, 0)])
def test_since_fetches_what_there_is(db, leads, since, expected):
    emit(db)
    register(db, since=since)
    assert len(statuses(db)) == expected
    register(db, since=since)
    assert len(statuses(db)) == expected


def test_registered_again_it_keeps_what_it_has_and_takes_the_new_settings(db, leads):
    first = register(db, types=[CREATED])
    emit(db)
    again = register(db, types=[RELEASED], attempt_limit=3, retry_delay="1 hour", wake_up=True)
    emit(db)
    assert again == ("crm", [RELEASED], 3, timedelta(hours=1), True, first[-1])
    assert len(statuses(db)) == 2
    types = db.execute(
        "SELECT o.type FROM lead_protection.event_deliveries AS d"
        " JOIN lead_protection.outbox_events AS o ON o.id = d.event_id ORDER BY d.sequence_number"
    ).fetchall()
    assert types == [(CREATED,), (RELEASED,)]


BAD = [
    ("LP041", "register_event_consumer(NULL)"),
    ("LP041", "register_event_consumer('')"),
    ("LP041", "register_event_consumer('Crm')"),
    ("LP041", "register_event_consumer(repeat('x', 64))"),
    ("LP041", "register_event_consumer('x', attempt_limit => 0)"),
    ("LP041", "register_event_consumer('x', attempt_limit => NULL)"),
    ("LP041", "register_event_consumer('x', retry_delay => '0 s')"),
    ("LP041", "register_event_consumer('x', retry_delay => '2 days')"),
    ("LP041", "register_event_consumer('x', wake_up => NULL)"),
    ("LP041", "register_event_consumer('x', since => 'infinity')"),
    ("LP039", "register_event_consumer('x', '{}')"),
    ("LP039", "register_event_consumer('x', '{lead.protection.remainder}')"),
    ("LP039", "register_event_consumer('x', '{lead.hold.created,NULL}')"),
    ("LP038", "unregister_event_consumer('none')"),
    ("LP038", "unregister_event_consumer(NULL)"),
    ("LP038", "claim_events('none')"),
    ("LP042", "claim_events('crm', 0)"),
    ("LP042", "claim_events('crm', 10001)"),
    ("LP042", "claim_events('crm', NULL)"),
    ("LP042", "claim_events('crm', 1, '0 s')"),
    ("LP042", "claim_events('crm', 1, '25 hours')"),
    ("LP042", "claim_events('crm', 1, NULL)"),
    ("LP038", "acknowledge_events('none', gen_random_uuid(), '{}')"),
    ("LP001", "acknowledge_events('crm', NULL, '{}')"),
    ("LP001", "acknowledge_events('crm', gen_random_uuid(), NULL)"),
    ("LP038", "fail_events('none', gen_random_uuid(), '{}', 'x')"),
    ("LP001", "fail_events('crm', gen_random_uuid(), '{}', NULL)"),
    ("LP001", "fail_events('crm', NULL, '{}', 'x')"),
    ("LP038", "replay_events('none', now())"),
    ("LP001", "replay_events('crm', NULL)"),
    ("LP001", "replay_events('crm', now(), dead_only => NULL)"),
    ("LP006", "replay_events('crm', now(), now())"),
    ("LP039", "replay_events('crm', now(), types => '{nonsense}')"),
    ("LP038", "discard_dead_events('none', '{}', 'x')"),
    ("LP001", "discard_dead_events('crm', NULL, 'x')"),
    ("LP004", "discard_dead_events('crm', '{}', ' ')"),
]


@pytest.mark.parametrize(("sqlstate", "call"), BAD, ids=[call for _, call in BAD])
def test_bad_input_is_refused_and_changes_nothing(db, leads, sqlstate, call):
    register(db)
    emit(db)
    everything = (
        "SELECT array_agg(c ORDER BY c.consumer_name) FROM lead_protection.event_consumers AS c",
        "SELECT array_agg(d ORDER BY d.sequence_number) FROM lead_protection.event_deliveries AS d",
    )
    before = [db.execute(query).fetchone() for query in everything]
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"SELECT * FROM lead_protection.{call}")
    assert refused.value.sqlstate == sqlstate
    assert refused.value.diag.message_hint and refused.value.diag.message_detail
    assert [db.execute(query).fetchone() for query in everything] == before


@pytest.mark.slow("it waits for five seconds")
def test_registering_waits_for_writers_and_gives_up_for_the_sake_of_others(db, leads, connect):
    writer = connect(autocommit=False)
    emit(writer)
    with pytest.raises(psycopg.Error) as refused:
        register(db)
    assert refused.value.sqlstate == "LP040"
    writer.commit()
    register(db)


def test_an_event_written_while_a_consumer_is_registered_gets_there(db, leads, connect, wait_until):
    """The writer waits for the registration, and then sees it."""
    registrar, writer = connect(autocommit=False), connect()
    register(registrar)
    thread = threading.Thread(target=emit, args=(writer,))
    thread.start()
    wait_until(lambda: db.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'relation'").fetchone())
    registrar.commit()
    thread.join(10)
    assert len(statuses(db)) == 2


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_older_than_the_registration_writes_no_event_past_it(db, leads, connect, isolation):
    writer = connect(autocommit=False)
    writer.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
    writer.execute("SELECT count(*) FROM lead_protection.leads")
    register(db)
    with pytest.raises(psycopg.errors.SerializationFailure):
        emit(writer)
    writer.rollback()
    writer.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
    emit(writer)
    writer.commit()
    assert len(statuses(db)) == 2


def test_removing_a_consumer_gives_up_what_it_had_not_finished(db, leads):
    register(db)
    register(db, "other")
    emit(db, times=2)
    acknowledge(db, claim(db)[0])
    assert db.execute("SELECT lead_protection.unregister_event_consumer('crm')").fetchone() == (3,)
    assert statuses(db) == [] and len(statuses(db, "other")) == 4
    assert count_events(db) == 4
    emit(db)
    assert statuses(db) == []
