"""Consumers of events: claimed, acknowledged, failed, replayed, purged; in order, and none passed over."""

import threading
from collections import defaultdict
from datetime import timedelta
from random import Random
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import namedtuple_row

from facts import PROTECTED, REMINDER_DUE, insert_lead_of_age

SCHEMA = "lead_protection"
CREATED, RELEASED = "lead.hold.created", "lead.hold.released"


def register(db, name="crm", **settings):
    """Register a consumer; keywords as those of the function."""
    arguments = {"consumer_name": name} | settings
    call = sql.SQL("SELECT * FROM lead_protection.register_event_consumer({})").format(
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in arguments)
    )
    return db.execute(call, arguments).fetchone()


def claim(db, name="crm", batch_size=100, lease="5 minutes"):
    """Claim events; rows with named columns."""
    with db.cursor(row_factory=namedtuple_row) as cursor:
        call = "SELECT * FROM lead_protection.claim_events(%s, %s, %s)"
        return cursor.execute(call, (name, batch_size, lease)).fetchall()


def acknowledge(db, event, name="crm"):
    """Acknowledge one event; its status and whether this call did it."""
    return db.execute(
        "SELECT status, changed FROM lead_protection.acknowledge_events(%s, %s, %s)",
        (name, event.lease_token, [event.id]),
    ).fetchone()


def fail(db, event, name="crm", error="x"):
    """Fail one event; its status and whether this call did it."""
    return db.execute(
        "SELECT status, changed FROM lead_protection.fail_events(%s, %s, %s, %s)",
        (name, event.lease_token, [event.id], error),
    ).fetchone()


def end_pauses(db):
    """Make everything available now: leases have run out, pauses are over."""
    db.execute("UPDATE lead_protection.event_deliveries SET available_at = now() WHERE status = 'pending'")


def emit(db, lead_id=1, times=1):
    """Let a lead have events: a hold made and released, so often."""
    for _ in range(times):
        db.execute("SELECT lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
        db.execute("SELECT lead_protection.release_lead_hold(%s, 7, 1)", (lead_id,))


def statuses(db, name="crm"):
    """The consumer's deliveries in the order of the events."""
    rows = db.execute(
        "SELECT status FROM lead_protection.event_deliveries WHERE consumer_name = %s ORDER BY sequence_number", (name,)
    )
    return [row[0] for row in rows]


def age_events(db, days):
    """Make the events older, which nobody may."""
    db.execute(
        "ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER refuse_change;"
        f'UPDATE lead_protection.outbox_events SET "timestamp" = "timestamp" - INTERVAL \'{days} days\';'
        "ALTER TABLE lead_protection.outbox_events ENABLE TRIGGER refuse_change"
    )


def count_events(db):
    return db.execute("SELECT count(*) FROM lead_protection.outbox_events").fetchone()[0]


@pytest.fixture
def leads(db):
    """Leads 1 to 5, protected."""
    for lead_id in range(1, 6):
        insert_lead_of_age(db, lead_id, PROTECTED)


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


# --- claiming ---


def test_a_claim_shows_the_event_as_it_is_in_the_outbox(db, leads):
    register(db)
    emit(db)
    (event,) = claim(db, lease="1 hour")
    row = db.execute(
        'SELECT id, aggregatetype, aggregateid, type, payload, "timestamp", sequence_number'
        " FROM lead_protection.outbox_events ORDER BY sequence_number LIMIT 1"
    ).fetchone()
    assert tuple(event)[:7] == row
    assert event.attempt == 1
    until = db.execute("SELECT %s BETWEEN now() + INTERVAL '59 minutes' AND now() + INTERVAL '1 hour'", (event[-1],))
    assert until.fetchone() == (True,)


def test_the_order_of_a_lead_is_kept(db, leads):
    register(db)
    emit(db, 1, times=2)
    emit(db, 2)
    seen = []
    while events := claim(db):
        assert len({event.aggregateid for event in events}) == len(events)
        seen += events
        assert claim(db) == [], "not before those at hand are finished"
        for event in events:
            assert acknowledge(db, event) == ("acknowledged", True)
    for lead in ("1", "2"):
        of_lead = [event.type for event in seen if event.aggregateid == lead]
        assert of_lead == [CREATED, RELEASED] * (len(of_lead) // 2) != []
    assert len(seen) == 6


def test_a_failed_event_holds_up_its_lead_and_no_other(db, leads):
    register(db)
    emit(db, 1)
    (event,) = claim(db)
    assert fail(db, event, error="no route") == ("pending", True)
    emit(db, 2)
    assert [event.aggregateid for event in claim(db)] == ["2"]
    end_pauses(db)
    again = claim(db, batch_size=1)
    assert [(e.id, e.attempt) for e in again] == [(event.id, 2)]


def test_two_sessions_get_different_events_and_none_waits(db, leads, connect):
    register(db)
    for lead_id in range(1, 6):
        emit(db, lead_id)
    one, two = connect(autocommit=False), connect(autocommit=False)
    two.execute("SET lock_timeout = '1s'")
    first, second = claim(one, batch_size=3), claim(two, batch_size=3)
    assert (len(first), len(second)) == (3, 2)
    assert not {event.aggregateid for event in first} & {event.aggregateid for event in second}
    one.rollback()
    assert len(claim(two, batch_size=10)) == 3, "what was not committed was never claimed"


def test_an_event_that_commits_late_is_not_passed_over(db, leads, connect):
    register(db)
    late = connect(autocommit=False)
    emit(late, 1)
    emit(db, 2)
    while events := claim(db):
        assert {event.aggregateid for event in events} == {"2"}
        for event in events:
            acknowledge(db, event)
    late.commit()
    (event,) = claim(db)
    assert event.aggregateid == "1"
    numbers = db.execute("SELECT aggregateid FROM lead_protection.outbox_events ORDER BY sequence_number").fetchall()
    assert numbers == [("1",), ("1",), ("2",), ("2",)], "it had the lower number, which nothing relies on"


def test_a_rolled_back_event_never_was(db, leads, connect):
    register(db)
    writer = connect(autocommit=False)
    emit(writer)
    writer.rollback()
    assert claim(db) == [] == statuses(db)


def test_a_lease_that_ran_out_is_claimed_again_and_its_former_holder_told(db, leads):
    register(db)
    emit(db)
    (dead,) = claim(db)
    end_pauses(db)
    (alive,) = claim(db)
    assert (alive.id, alive.attempt) == (dead.id, 2) and alive.lease_token != dead.lease_token
    assert acknowledge(db, dead) == ("pending", False)
    assert fail(db, dead) == ("pending", False)
    assert acknowledge(db, alive) == ("acknowledged", True)
    assert acknowledge(db, alive) == acknowledge(db, dead) == ("acknowledged", False)
    assert fail(db, alive) == ("acknowledged", False)


def test_a_lease_that_ran_out_holds_until_somebody_else_claims(db, leads):
    register(db)
    emit(db)
    (event,) = claim(db)
    end_pauses(db)
    assert acknowledge(db, event) == ("acknowledged", True)


def test_unknown_and_repeated_ids_are_answered_once_each(db, leads):
    register(db)
    emit(db)
    (event,) = claim(db)
    unknown = uuid4()
    answers = db.execute(
        "SELECT event_id, status, changed FROM lead_protection.acknowledge_events('crm', %s, %s)",
        (event.lease_token, [event.id, unknown, event.id]),
    ).fetchall()
    assert sorted(answers) == sorted([(event.id, "acknowledged", True), (unknown, None, False)])


def test_work_in_this_database_is_done_exactly_once(db, leads, connect):
    """Work and acknowledgement are one transaction: rolled back, both never were."""
    register(db)
    emit(db)
    db.execute("CREATE TABLE work (event_id uuid)")
    (event,) = claim(db)
    session = connect(autocommit=False)
    session.execute("INSERT INTO work VALUES (%s)", (event.id,))
    acknowledge(session, event)
    session.rollback()
    assert db.execute("SELECT count(*) FROM work").fetchone() == (0,) and statuses(db)[0] == "pending"


# --- failing ---


@pytest.mark.parametrize(("delay", "pauses"), [("1 minute", [60, 120, 240, 480]), ("20 hours", [72000, 86400, 86400])])
def test_the_pause_doubles_up_to_a_day(db, leads, delay, pauses):
    register(db, retry_delay=delay, attempt_limit=99)
    emit(db)
    for pause in pauses:
        (event,) = claim(db)
        (waits,) = db.execute(
            "SELECT retry_at - clock_timestamp() FROM lead_protection.fail_events('crm', %s, %s, 'x')",
            (event.lease_token, [event.id]),
        ).fetchone()
        assert 0 <= pause - waits.total_seconds() < 10
        end_pauses(db)


def test_the_pause_never_overflows(db):
    row = db.execute("SELECT lead_protection.retry_pause('1 day', 1000000), lead_protection.retry_pause('1 ms', 99)")
    assert row.fetchone() == (timedelta(days=1), timedelta(days=1))


def test_after_its_last_attempt_it_is_a_dead_letter_and_the_lead_goes_on(db, leads):
    register(db, attempt_limit=2)
    emit(db)
    for expected in ("pending", "dead"):
        (event,) = claim(db)
        assert fail(db, event, error="boom") == (expected, True)
        end_pauses(db)
    dead = "SELECT consumer_name, event_id, lead_id, type, attempts, error FROM lead_protection.v_dead_events"
    assert db.execute(dead).fetchall() == [("crm", event.id, 1, CREATED, 2, "boom")]
    assert [event.type for event in claim(db)] == [RELEASED]
    assert fail(db, event) == acknowledge(db, event) == ("dead", False)


def test_who_dies_of_an_event_each_time_makes_it_a_dead_letter(db, leads):
    register(db, attempt_limit=2)
    emit(db)
    for _ in range(2):
        claim(db)
        end_pauses(db)
    assert [event.type for event in claim(db)] == [RELEASED]
    assert db.execute("SELECT error FROM lead_protection.v_dead_events").fetchall() == [("the lease ran out",)]


def test_dead_letters_are_put_aside_with_a_reason(db, leads):
    register(db, attempt_limit=1)
    emit(db)
    (event,) = claim(db)
    fail(db, event, error="boom")
    discard = "SELECT lead_protection.discard_dead_events('crm', %s, 'told by telephone')"
    ids = [row[0] for row in db.execute("SELECT id FROM lead_protection.outbox_events")]
    assert db.execute(discard, (ids,)).fetchone() == (1,)
    assert db.execute(discard, (ids,)).fetchone() == (0,)
    assert statuses(db) == ["discarded", "pending"]
    errors = db.execute("SELECT error FROM lead_protection.event_deliveries WHERE status = 'discarded'").fetchall()
    assert errors == [("boom; discarded: told by telephone",)]
    replay = "SELECT lead_protection.replay_events('crm', '-infinity', dead_only => true)"
    assert db.execute(replay).fetchone() == (1,)
    assert statuses(db) == ["pending", "pending"]


# --- replay ---


def handle_all(db, name="crm"):
    """Acknowledge everything; the types in the order in which they were handled."""
    handled = []
    while events := claim(db, name):
        for event in events:
            acknowledge(db, event, name)
            handled.append(event)
    return handled


def test_replay_by_time_and_by_type_and_in_order(db, leads):
    register(db)
    emit(db)
    (between,) = db.execute("SELECT clock_timestamp()").fetchone()
    emit(db)
    first = handle_all(db)
    replay = "SELECT lead_protection.replay_events('crm', %s, %s, %s)"
    assert db.execute(replay, ("-infinity", between, None)).fetchone() == (2,)
    assert db.execute(replay, ("-infinity", between, None)).fetchone() == (0,)
    assert [event.id for event in handle_all(db)] == [event.id for event in first[:2]]
    assert db.execute(replay, (between, None, [RELEASED])).fetchone() == (1,)
    again = handle_all(db)
    assert [(event.id, event.attempt) for event in again] == [(first[3].id, 1)]


def test_replay_fetches_what_was_written_before_and_other_types_if_named(db, leads):
    emit(db)
    register(db, types=[CREATED])
    assert db.execute("SELECT lead_protection.replay_events('crm', '-infinity')").fetchone() == (1,)
    named = "SELECT lead_protection.replay_events('crm', '-infinity', types => '{lead.hold.released}')"
    assert db.execute(named).fetchone() == (1,)
    assert [event.type for event in handle_all(db)] == [CREATED, RELEASED]


def test_a_replayed_event_that_is_being_handled_is_left_alone(db, leads):
    register(db)
    emit(db)
    (event,) = claim(db)
    assert db.execute("SELECT lead_protection.replay_events('crm', '-infinity')").fetchone() == (0,)
    assert acknowledge(db, event) == ("acknowledged", True)


# --- retention ---


def purge(db):
    """Run the nightly job; how many events it deleted."""
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    return db.execute(
        "SELECT (result ->> 'events_purged')::int FROM lead_protection.job_runs ORDER BY id DESC LIMIT 1"
    ).fetchone()[0]


def test_retention_takes_only_what_all_consumers_have_finished(db, leads):
    register(db, attempt_limit=1)
    register(db, "slow")
    emit(db, 1)
    emit(db, 2)
    age_events(db, 91)
    assert purge(db) == 0
    handle_all(db)
    assert purge(db) == 0, "the slow one has not finished any"
    handled = handle_all(db, "slow")
    emit(db, 3)
    assert purge(db) == 4 and count_events(db) == 2
    assert {status for name in ("crm", "slow") for status in statuses(db, name)} == {"pending"}
    assert db.execute("SELECT count(*) FROM lead_protection.protection_log").fetchone() == (6,)
    assert acknowledge(db, handled[0], "slow") == (None, False)


def test_retention_keeps_dead_letters_and_takes_discarded_ones(db, leads):
    register(db, attempt_limit=1)
    emit(db)
    (dead,) = claim(db)
    fail(db, dead)
    handle_all(db)
    age_events(db, 91)
    assert purge(db) == 1
    db.execute("SELECT lead_protection.discard_dead_events('crm', %s, 'x')", ([dead.id],))
    assert purge(db) == 1 and count_events(db) == 0


def test_without_consumers_age_alone_counts(db, leads):
    emit(db)
    age_events(db, 89)
    assert purge(db) == 0
    age_events(db, 2)
    assert purge(db) == 2


def test_retention_leaves_what_is_being_replayed(db, leads, connect):
    register(db)
    emit(db)
    handle_all(db)
    age_events(db, 91)
    operator = connect(autocommit=False)
    assert operator.execute("SELECT lead_protection.replay_events('crm', '-infinity')").fetchone() == (2,)
    assert purge(db) == 0
    operator.commit()
    assert purge(db) == 0 and statuses(db) == ["pending", "pending"]


# --- waking up ---


def test_an_empty_notification_goes_out_only_where_it_is_wanted(db, leads, connect):
    listener = connect()
    listener.execute("LISTEN lead_protection_events")

    def notifications():
        return [(n.channel, n.payload) for n in listener.notifies(timeout=0.2)]

    register(db, types=[CREATED])
    emit(db)
    assert notifications() == []
    register(db, types=["lead.protection.reminder"], wake_up=True)
    emit(db)
    assert notifications() == []
    register(db, types=[RELEASED], wake_up=True)
    with db.transaction():
        emit(db, times=2)
    assert notifications() == [("lead_protection_events", "")]


# --- looking ---


def test_the_view_of_consumers_counts_what_waits(db, leads):
    register(db, attempt_limit=1)
    register(db, "idle", types=["lead.deleted"])
    emit(db, 1)
    emit(db, 2)
    fail(db, claim(db, batch_size=1)[0])
    register(db, attempt_limit=9)
    fail(db, claim(db, batch_size=1)[0])
    claim(db, batch_size=1)
    seen = db.execute(
        "SELECT consumer_name, ready, leased, retrying, dead, lag > INTERVAL '0'"
        " FROM lead_protection.v_event_consumers ORDER BY 1"
    ).fetchall()
    assert seen == [("crm", 1, 1, 1, 1, True), ("idle", 0, 0, 0, 0, None)]


def test_events_keep_their_order_if_the_clock_is_set_back(db, leads):
    """By number, which is drawn under the lead's lock, and not by time."""
    register(db)
    emit(db)
    db.execute(
        "ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER refuse_change;"
        "UPDATE lead_protection.outbox_events SET \"timestamp\" = now() - sequence_number * INTERVAL '1 hour'"
    )
    assert [event.type for event in handle_all(db)] == [CREATED, RELEASED]


def test_reminders_reach_a_consumer_with_the_pipeline(db):
    register(db, types=["lead.protection.reminder"])
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    (event,) = claim(db)
    assert event.payload["lead_id"] == 1 and event.payload["attempt"] == 1


# --- under load ---


@pytest.mark.made_up_events("50,000 events of leads that there are not: what they tell does not matter here")
def test_three_consumers_with_random_failures_finish_50000_events_in_order(db, connect):
    register(db, attempt_limit=10_000, retry_delay="1 millisecond")
    db.execute(
        "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at)"
        " SELECT n % 5000, 7, 'lead.changed', now() FROM generate_series(1, 50000) AS n"
    )
    db.execute("ANALYZE lead_protection.event_deliveries")
    db.execute(
        "CREATE TABLE handled (position bigint GENERATED ALWAYS AS IDENTITY, lead_id text, sequence_number bigint)"
    )
    failures = defaultdict(int)
    errors = []

    def consume(number):
        chance, session = Random(number), connect()
        try:
            while statuses_left(session):
                events = claim(session, batch_size=500, lease="200 milliseconds" if chance.random() < 0.1 else "1 hour")
                if events and events[0].leased_until - events[0].timestamp < timedelta(minutes=30):
                    failures["died"] += len(events)
                    continue
                bad = [event.id for event in events if chance.random() < 0.05]
                good = [event for event in events if event.id not in bad]
                if bad:
                    failures["failed"] += len(bad)
                    session.execute(
                        "SELECT lead_protection.fail_events('crm', %s, %s, 'x')", (events[0].lease_token, bad)
                    )
                if good:
                    with session.transaction():
                        session.cursor().executemany(
                            "INSERT INTO handled (lead_id, sequence_number) VALUES (%s, %s)",
                            [(event.aggregateid, event.sequence_number) for event in good],
                        )
                        answers = session.execute(
                            "SELECT bool_and(changed) FROM lead_protection.acknowledge_events('crm', %s, %s)",
                            (good[0].lease_token, [event.id for event in good]),
                        ).fetchone()
                        assert answers == (True,)
        except BaseException as error:
            errors.append(error)
            raise

    def statuses_left(session):
        query = "SELECT 1 FROM lead_protection.event_deliveries WHERE status = 'pending' LIMIT 1"
        return session.execute(query).fetchone()

    threads = [threading.Thread(target=consume, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert not errors and not any(thread.is_alive() for thread in threads)
    assert failures["died"] > 500 and failures["failed"] > 500
    assert db.execute("SELECT status, count(*) FROM lead_protection.event_deliveries GROUP BY 1").fetchall() == [
        ("acknowledged", 50000)
    ]
    handled = "SELECT count(*), count(DISTINCT sequence_number) FROM handled"
    assert db.execute(handled).fetchone() == (50000, 50000)
    disorder = (
        "SELECT count(*) FROM (SELECT sequence_number,"
        " lag(sequence_number) OVER (PARTITION BY lead_id ORDER BY position) AS former FROM handled) AS h"
        " WHERE sequence_number < former"
    )
    assert db.execute(disorder).fetchone() == (0,)
