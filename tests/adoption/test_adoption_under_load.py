"""Three tables become our leads while they are written to; nobody of the company's waits long for it."""

import threading

import psycopg
import pytest
from psycopg import sql

from helpers.adoption_calls import (
    let_pauses_pass,
    queue,
    schema_of,
    sqlstate,
)
from helpers.sources import CRM, SOURCES, assert_in_step, fill, under_load

# --- three tables, adopted while they are written to ---


@pytest.mark.slow("three tables, written to all the time")
@pytest.mark.parametrize("name", SOURCES)
def test_adopted_under_load_and_disowned_without_a_trace(name, db, connect, server):
    source = SOURCES[name]
    fill(db, source)
    schema = db.execute(
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = %s::regclass", (source.table,)
    )
    schema = schema.fetchone()[0]
    before = schema_of(server, db.info.dbname, schema)

    with under_load(source, connect) as done:
        db.execute(source.adopt_sql())
        at_end_of_backfill = sum(done)

    assert sum(done) >= at_end_of_backfill
    assert queue(db) == []
    assert_in_step(db, name)

    db.execute("CALL lead_protection.switch_on_adoption()")
    with under_load(source, connect):
        db.execute("CALL lead_protection.run_protection_pipeline()")
    assert_in_step(db, name)

    assert schema_of(server, db.info.dbname, schema) != before
    db.execute("CALL lead_protection.disown_source(%s)", (source.table,))
    assert schema_of(server, db.info.dbname, schema) == before
    rows_before = db.execute("SELECT count(*) FROM lead_protection.leads").fetchone()
    db.execute(source.insert_sql(99_999, 3, source.users[0]))
    db.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(source.table)))
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == rows_before


def test_a_backfill_that_is_killed_goes_on_where_it_stopped(db, connect, wait_until):
    fill(db, CRM)
    blocker, backfill = connect(autocommit=False), connect()
    # A lead that is here already and that somebody is working on: the backfill has to wait for it there.
    db.execute(f"UPDATE crm.leads SET {CRM.open} WHERE id = 150")
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT id, owner_id, created_at FROM crm.leads WHERE id = 150"
    )
    blocker.execute("SELECT 1 FROM lead_protection.leads WHERE id = 150 FOR UPDATE")
    failure = []

    def adopt() -> None:
        try:
            backfill.execute(CRM.adopt_sql())
        except psycopg.Error as error:
            failure.append(error)

    thread = threading.Thread(target=adopt)
    thread.start()
    through = "SELECT backfilled_through FROM lead_protection.adoptions"
    wait_until(lambda: db.execute(through).fetchone() == ("125",))
    db.execute("SELECT pg_terminate_backend(%s)", (backfill.info.backend_pid,))
    thread.join(timeout=30)
    assert failure
    assert db.execute(through).fetchone() == ("125",)
    assert db.execute("SELECT count(*) FROM lead_protection.adopted_leads").fetchone()[0] == 125
    # What is written meanwhile is followed, before and behind that point.
    db.execute("UPDATE crm.leads SET owner_id = 108 WHERE id IN (7, 200)")

    blocker.rollback()
    db.execute(CRM.adopt_sql())
    assert_in_step(db, "crm")
    assert db.execute("SELECT backfilled_at IS NOT NULL FROM lead_protection.adoptions").fetchone() == (True,)


def test_the_backfill_gives_way_to_a_lock_and_tries_again(db, connect, wait_until):
    fill(db, CRM, rows=30)
    db.execute(f"UPDATE crm.leads SET {CRM.open} WHERE id = 10")
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT id, owner_id, created_at FROM crm.leads WHERE id = 10"
    )
    blocker = connect(autocommit=False)
    blocker.execute("SELECT 1 FROM lead_protection.leads WHERE id = 10 FOR UPDATE")
    backfill = connect()
    thread = threading.Thread(target=backfill.execute, args=(CRM.adopt_sql(),))
    thread.start()
    pid = backfill.info.backend_pid
    wait_until(
        lambda: db.execute("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() == ("PgSleep",)
    )
    blocker.rollback()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert queue(db) == []
    assert_in_step(db, "crm")


def test_triggers_wait_for_a_writer_without_blocking_the_next(db, connect, wait_until):
    """Half a second at most: a long transaction on the live table must not pile up others behind us."""
    fill(db, CRM, rows=5)
    writer, other, adopter = connect(autocommit=False), connect(), connect()
    writer.execute("UPDATE crm.leads SET note = 'long' WHERE id = 1")
    notices = []
    adopter.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    thread = threading.Thread(target=adopter.execute, args=(CRM.adopt_sql(),))
    thread.start()
    wait_until(lambda: notices)
    assert notices[0] == "crm.leads: others hold locks on it, trying again (1 of 60)"
    other.execute("SET lock_timeout = '2s'")
    other.execute("UPDATE crm.leads SET note = 'short' WHERE id = 2")
    writer.commit()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert_in_step(db, "crm")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_older_than_the_adoption_is_told_to_begin_again(db, connect, level):
    fill(db, CRM, rows=5)
    old = connect()
    old.execute(f"BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM pg_class LIMIT 1")
    db.execute(CRM.adopt_sql())
    assert sqlstate(old, "UPDATE crm.leads SET owner_id = 108 WHERE id = 1").sqlstate == "40001"
    old.execute("ROLLBACK")
    old.execute(f"BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM pg_class LIMIT 1")
    db.execute("CALL lead_protection.disown_source('crm.leads')")
    db.execute(CRM.adopt_sql())
    assert sqlstate(old, "UPDATE crm.leads SET owner_id = 108 WHERE id = 1").sqlstate == "40001"
    old.execute("ROLLBACK")
    old.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    assert_in_step(db, "crm")


# --- nobody of the company's waits long, or is the victim of ours ---


def test_the_queue_gives_way_to_a_session_that_works_the_other_way_round(db, connect, wait_until):
    db.execute(CRM.ddl)
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (3, NULL), (7, NULL)")
    db.execute(CRM.adopt_sql())
    db.execute("CALL lead_protection.switch_on_adoption()")
    let_pauses_pass(db)
    company, pipeline = connect(autocommit=False), connect()
    company.execute("UPDATE crm.leads SET owner_id = 101 WHERE id = 7")
    pipeline.execute("CALL lead_protection.run_protection_pipeline()")
    company.execute("UPDATE crm.leads SET owner_id = 101 WHERE id = 3")
    company.commit()
    assert queue(db) == []
    assert_in_step(db, "crm")
    assert db.execute("SELECT DISTINCT outcome FROM lead_protection.job_runs").fetchall() == [("succeeded",)]
