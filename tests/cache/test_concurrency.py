"""Several sessions at once, interleaved at the worst points."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, drift, events, insert_lead_of_age, insert_policy
from helpers.sessions import execute_at_once, waits_for_a_lock

CREATE = "SELECT hold_id, start_at, created FROM lead_protection.create_lead_hold(1, 7, 'x', 1)"
RELEASE = "SELECT hold_id, end_at, released FROM lead_protection.release_lead_hold(1, 7, 1)"
PIPELINE = "CALL lead_protection.run_protection_pipeline(batch_size => 500)"
LOCK_THE_PIPELINE = (
    "SELECT true FROM lead_protection.lock_rows WHERE lock_name = 'lead-protection-reminders' FOR UPDATE SKIP LOCKED"
)


def test_eight_connections_create_the_same_hold(db, connect):
    insert_lead_of_age(db, 1, PROTECTED)
    answers = execute_at_once([connect() for _ in range(8)], CREATE)
    assert len({answer[:2] for answer in answers}) == 1
    assert sorted(answer[2] for answer in answers) == [False] * 7 + [True]
    assert db.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (1,)
    assert events(db) == ["lead.hold.created"]
    assert drift(db) == []


def test_eight_connections_release_the_same_hold(db, connect):
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute(CREATE)
    answers = execute_at_once([connect() for _ in range(8)], RELEASE)
    assert sorted(answer[2] for answer in answers) == [False] * 7 + [True]
    assert events(db) == ["lead.hold.created", "lead.hold.released"]
    assert drift(db) == []


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_create_waits_for_an_unfinished_create(db, connect, wait_until, end):
    insert_lead_of_age(db, 1, PROTECTED)
    first, second = connect(autocommit=False), connect()
    made = first.execute(CREATE).fetchone()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: second.execute(CREATE).fetchone())
        wait_until(lambda: waits_for_a_lock(db, second))
        getattr(first, end)()
        hold_id, _, created = answer.result(timeout=10)
    assert created is (end == "rollback")
    assert (hold_id == made[0]) is (end == "commit")
    assert drift(db) == []


def test_holds_of_two_sessions_both_reach_the_cache(db, connect, wait_until):
    """Neither sees the other's row when it writes its own; the one that waits must derive from both."""
    insert_lead_of_age(db, 1, PROTECTED)
    insert = (
        "INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by)"
        " VALUES (1, 7, 'x', now() - INTERVAL '{} days', now() - INTERVAL '{} days', 1)"
    )
    before = db.execute("SELECT protection_expires_at FROM lead_protection.lead_clocks").fetchone()[0]
    first, second = connect(autocommit=False), connect()
    first.execute(insert.format(20, 15))
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(second.execute, insert.format(10, 8))
        wait_until(lambda: waits_for_a_lock(db, second))
        first.commit()
        done.result(timeout=10)
    after = db.execute("SELECT protection_expires_at FROM lead_protection.lead_clocks").fetchone()[0]
    assert (after - before).days == 7
    assert drift(db) == []


def test_a_transaction_that_began_earlier_decides_on_what_is_now(db, connect):
    """Its now() lies before the expiry and the closing; the hold is asked for after both."""
    policy_id = insert_policy(db, base_months=12, extension_days=1, grace_days=1, time_zone="UTC")
    insert_lead_of_age(db, 1, PROTECTED)
    insert_lead_of_age(db, 2, PROTECTED)
    old = connect(autocommit=False)
    old.execute("SELECT now()")
    # It expires at the instant of this statement: between now() of the old transaction and its call.
    db.execute(
        "UPDATE lead_protection.leads SET policy_id = %s, created_at ="
        " (clock_timestamp() AT TIME ZONE 'UTC' - INTERVAL '2 days' - INTERVAL '12 months') AT TIME ZONE 'UTC'"
        " WHERE id = 1",
        (policy_id,),
    )
    db.execute("UPDATE lead_protection.leads SET closed_at = clock_timestamp() WHERE id = 2")
    for lead_id, sqlstate in ((1, "LP008"), (2, "LP009")):
        with pytest.raises(psycopg.Error) as refused, old.transaction():
            old.execute("SELECT lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
        assert refused.value.sqlstate == sqlstate


def test_a_release_by_a_transaction_that_began_earlier_counts_the_hold(db, connect):
    insert_lead_of_age(db, 1, PROTECTED)
    old = connect(autocommit=False)
    old.execute("SELECT now()")
    _, start_at, _ = db.execute(CREATE).fetchone()
    _, end_at, released = old.execute(RELEASE).fetchone()
    assert released and end_at > start_at


@pytest.mark.parametrize("level", ["REPEATABLE_READ", "SERIALIZABLE"])
def test_an_old_snapshot_is_refused_rather_than_cached(db, connect, level):
    insert_lead_of_age(db, 1, PROTECTED)
    old = connect(autocommit=False)
    old.isolation_level = psycopg.IsolationLevel[level]
    old.execute("SELECT count(*) FROM lead_protection.leads")
    db.execute(
        "INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by)"
        " VALUES (1, 7, 'x', now() - INTERVAL '3 days', now() - INTERVAL '2 days', 1)"
    )
    with pytest.raises(psycopg.errors.SerializationFailure):
        old.execute(CREATE)
    old.rollback()
    assert drift(db) == []


@pytest.mark.slow("thousands of leads")
def test_two_pipelines_over_five_thousand_due_leads(db, connect):
    db.execute("SELECT lead_protection.configure_reminders(NULL, NULL)")
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n, n %% 50, now() - %s * INTERVAL '1 day', now() FROM generate_series(1, 5000) AS n",
        (REMINDER_DUE,),
    )
    execute_at_once([connect(), connect()], PIPELINE)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (5000,)
    assert events(db) == ["lead.protection.reminder"] * 5000
    sent = db.execute(
        "SELECT sum((result ->> 'reminders')::int), array_agg(DISTINCT outcome) <@ '{succeeded,skipped}'"
        " FROM lead_protection.job_runs"
    ).fetchone()
    assert sent == (5000, True)
    assert drift(db) == []


@pytest.mark.slow("two thousand leads")
def test_pipelines_without_the_lock_of_the_job_send_nothing_twice(db, connect):
    """The lock only spares work: the promise rests on row locks and the ledger's key."""
    db.execute("SELECT lead_protection.configure_reminders(NULL, NULL)")
    (text,) = db.execute("SELECT pg_get_functiondef('lead_protection.run_job_step(bigint)'::regprocedure)").fetchone()
    assert " FOR UPDATE SKIP LOCKED;" in text
    db.execute(text.replace(" FOR UPDATE SKIP LOCKED;", ";").encode())
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n, 7, now() - %s * INTERVAL '1 day', now() FROM generate_series(1, 2000) AS n",
        (REMINDER_DUE,),
    )
    execute_at_once([connect() for _ in range(4)], "CALL lead_protection.run_protection_pipeline(batch_size => 100)")
    db.execute(PIPELINE)
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (2000,)
    assert events(db) == ["lead.protection.reminder"] * 2000


def test_a_second_pipeline_leaves_at_once(db, connect):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    busy = connect(autocommit=False)
    assert busy.execute(LOCK_THE_PIPELINE).fetchone() == (True,)
    db.execute(PIPELINE)
    assert db.execute("SELECT outcome FROM lead_protection.job_runs").fetchall() == [("skipped",)]
    assert events(db) == []
    busy.rollback()
    db.execute(PIPELINE)
    assert events(db) == ["lead.protection.reminder"]


def test_the_pipeline_passes_over_a_lead_that_someone_works_on(db, connect):
    """It does not wait for the other's transaction, and does not decide on what that one is about to change."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, REMINDER_DUE)
    insert_lead_of_age(db, 3, EXPIRED)
    insert_lead_of_age(db, 4, EXPIRED)
    other = connect(autocommit=False)
    other.execute(CREATE)
    other.execute("UPDATE lead_protection.leads SET created_at = now() - INTERVAL '1 day' WHERE id = 3")
    db.execute(PIPELINE)
    assert (events(db, 1), events(db, 2)) == ([], ["lead.protection.reminder"])
    assert (events(db, 3), events(db, 4)) == ([], ["lead.protection.expired"])
    other.commit()
    db.execute(PIPELINE)
    assert (events(db, 1), events(db, 3)) == (["lead.hold.created"], ["lead.changed"])


def test_a_cancelled_pipeline_says_so_and_leaves_nothing_locked(db, connect, wait_until):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    blocker, pipeline = connect(autocommit=False), connect()
    blocker.execute("LOCK TABLE lead_protection.lead_reminders IN SHARE MODE")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(pipeline.execute, PIPELINE)
        wait_until(lambda: waits_for_a_lock(db, pipeline))
        db.execute("SELECT pg_cancel_backend(%s)", (pipeline.info.backend_pid,))
        with pytest.raises(psycopg.errors.QueryCanceled):
            done.result(timeout=10)
    blocker.rollback()
    (run,) = db.execute("SELECT outcome, left(error, 7) FROM lead_protection.job_runs").fetchall()
    assert run == ("failed", "57014: ")
    db.execute(PIPELINE)
    assert events(db) == ["lead.protection.reminder"]
