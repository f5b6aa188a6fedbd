"""Events claimed, acknowledged, failed and given up, in the order of each lead."""

from datetime import timedelta
from uuid import uuid4

import pytest

from helpers.consumer_calls import CREATED, RELEASED, acknowledge, claim, emit, fail, handle_all, register, statuses
from helpers.facts import REMINDER_DUE, insert_lead_of_age


def end_pauses(db):
    """Make everything available now: leases have run out, pauses are over."""
    db.execute("UPDATE lead_protection.event_deliveries SET available_at = now() WHERE status = 'pending'")


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
