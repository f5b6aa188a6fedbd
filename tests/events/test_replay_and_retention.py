"""Events replayed, and purged once nobody needs them."""

import pytest

from helpers.consumer_calls import (
    CREATED,
    RELEASED,
    acknowledge,
    claim,
    count_events,
    emit,
    fail,
    handle_all,
    register,
    statuses,
)
from helpers.jobs import run_nightly

pytestmark = pytest.mark.made_up_log("log rows are made older")


def age_events(db, days):
    """Make the events older, and the log rows that they are of, which nobody may."""
    db.execute(
        "ALTER TABLE lead_protection.protection_log DISABLE TRIGGER guard_log_row;"
        f"UPDATE lead_protection.protection_log SET recorded_at = recorded_at - INTERVAL '{days} days';"
        "ALTER TABLE lead_protection.protection_log ENABLE TRIGGER guard_log_row"
    )
    db.execute(
        "ALTER TABLE lead_protection.outbox_events DISABLE TRIGGER refuse_change;"
        f'UPDATE lead_protection.outbox_events SET "timestamp" = "timestamp" - INTERVAL \'{days} days\';'
        "ALTER TABLE lead_protection.outbox_events ENABLE TRIGGER refuse_change"
    )


# --- replay ---


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
    return run_nightly(db)["events_purged"]


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
