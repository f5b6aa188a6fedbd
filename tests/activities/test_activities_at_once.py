"""Several sessions record, correct and delete activities at once."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from helpers.activity_calls import (
    AFTER_CALL,
    CALL,
    DELETED,
    IDLE,
    RECORDED,
    activities,
    clock,
    correct,
    delete,
    instant,
    record,
)
from helpers.facts import (
    ago,
    events,
    insert_lead,
    insert_policy,
)
from helpers.sessions import execute_at_once, waits_for_a_lock

pytestmark = pytest.mark.slow("eight sessions at once")

CHANGE = "lead_id, user_id, changed, decided_at, state_before, expires_before, state_after, expires_after"

# Several sessions at once.
SAME = f"SELECT {CHANGE} FROM lead_protection.record_lead_activity(1, 7, 'QUALIFIED_CALL', '{CALL}', 'k', 5)"


def test_eight_sessions_record_the_same(db, connect, parallel):
    answers = execute_at_once([connect() for _ in range(8)], SAME)
    assert sorted(row[2] for row in answers) == [False] * 7 + [True]
    assert {row[7] for row in answers} == {instant(AFTER_CALL[0])}
    assert (len(activities(db)), events(db)) == (1, [RECORDED])
    assert clock(db) == AFTER_CALL


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_repeated_call_waits_for_the_first(db, connect, wait_until, parallel, end):
    first, second = connect(autocommit=False), connect()
    record(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(record, second)
        wait_until(lambda: waits_for_a_lock(db, second))
        getattr(first, end)()
        assert answered.result(timeout=10)["changed"] is (end == "rollback")
    assert (len(activities(db)), events(db)) == (1, [RECORDED])
    assert clock(db) == AFTER_CALL


def test_activities_of_two_sessions_both_count(db, connect, wait_until, parallel):
    """The one that waits is the earlier: it must not set the clock back."""
    first, second = connect(autocommit=False), connect()
    record(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(record, second, "2025-02-20 08:30Z", "earlier")
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        answered = answered.result(timeout=10)
    assert answered["expires_before"] == answered["expires_after"] == instant(AFTER_CALL[0])
    assert clock(db) == AFTER_CALL
    assert events(db) == [RECORDED]


def test_a_deletion_waits_for_a_deletion(db, connect, wait_until, parallel):
    record(db)
    first, second = connect(autocommit=False), connect()
    delete(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(delete, second)
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        answered = answered.result(timeout=10)
    assert (answered["changed"], answered["expires_before"]) == (False, instant(IDLE[0]))
    assert events(db) == [DELETED, RECORDED]


def test_a_correction_waits_for_a_deletion(db, connect, wait_until, parallel):
    record(db)
    first, second = connect(autocommit=False), connect()
    delete(first)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(correct, second, "2025-02-20 08:30Z")
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        with pytest.raises(psycopg.Error) as refused:
            answered.result(timeout=10)
    assert refused.value.sqlstate == "LP022"
    assert clock(db) == IDLE


def test_an_old_transaction_decides_on_what_is_now(db, connect):
    """Its now() lies before the activity that it is told of, which is not ahead of anything."""
    insert_lead(db, 1, ago(10), policy_id=insert_policy(db, rule="parallel"))
    old = connect(autocommit=False)
    began = old.execute("SELECT now()").fetchone()[0]
    given = db.execute("SELECT clock_timestamp()").fetchone()[0]
    answered = record(old, given)
    assert answered["decided_at"] > given > began
    old.commit()
    assert activities(db)[0][4] == given
