"""Three tables become our leads while they are written to; nobody of the company's waits long for it."""

import threading

import psycopg
import pytest
from psycopg import sql

from helpers.adoption_calls import news, queue, schema_of
from helpers.guards import but_by_night
from helpers.sources import CRM, SOURCES, assert_in_step, fill, follow, under_load

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- three tables, adopted while they are written to ---


@pytest.mark.slow("three tables, written to all the time")
@pytest.mark.parametrize(
    "name",
    but_by_night(
        SOURCES,
        list(SOURCES)[:1],
        "another table under the same load",
        "adoption/test_adoption_under_load.py::test_adopted_under_load_and_disowned_without_a_trace",
    ),
)
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
    follow(db)
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == rows_before


def test_a_backfill_that_is_killed_goes_on_where_it_stopped(db, connect, wait_until):
    fill(db, CRM)
    backfill = connect()
    # It is held up at a lead, for as long as a lock that only this test knows is held.
    db.execute("""
        UPDATE crm.leads SET status = 'new', deleted_at = NULL WHERE id = 150;
        CREATE TABLE public.gate (); CREATE FUNCTION public.hold_up() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF new.id = 150 THEN PERFORM set_config('lock_timeout', '30s', true);
        LOCK TABLE public.gate; END IF; RETURN new; END$$;
        CREATE TRIGGER hold_up BEFORE INSERT ON lead_protection.leads
        FOR EACH ROW EXECUTE FUNCTION public.hold_up()
    """)
    gate = connect(autocommit=False)
    gate.execute("LOCK TABLE public.gate")
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
    # What is written meanwhile is noted, before and behind that point.
    db.execute("UPDATE crm.leads SET owner_id = 108 WHERE id IN (7, 200)")

    gate.rollback()
    db.execute(CRM.adopt_sql())
    assert_in_step(db, "crm")
    assert db.execute("SELECT backfilled_at IS NOT NULL FROM lead_protection.adoptions").fetchone() == (True,)


def test_the_backfill_waits_for_no_lead_that_another_session_holds(db, connect):
    fill(db, CRM, rows=30)
    db.execute(f"UPDATE crm.leads SET {CRM.open} WHERE id = 10")
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT id, owner_id, created_at FROM crm.leads WHERE id IN (10, 11)"
    )
    blocker = connect(autocommit=False)
    blocker.execute("SELECT lead_protection.lock_leads(ARRAY[10])")
    db.execute(CRM.adopt_sql())
    assert db.execute("SELECT row_key, error FROM lead_protection.adoption_queue").fetchall() == [("10", None)]
    blocker.rollback()
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
def test_a_transaction_older_than_the_adoption_is_followed_too(db, connect, level):
    fill(db, CRM, rows=5)
    old = connect()
    old.execute(f"BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM pg_class LIMIT 1")
    db.execute(CRM.adopt_sql())
    old.execute("UPDATE crm.leads SET owner_id = 108, status = 'new', deleted_at = NULL WHERE id = 1; COMMIT")
    assert_in_step(db, "crm")


# --- nobody of the company's waits, or fails, because of us ---


def test_a_write_waits_for_no_lead_that_is_held_here(crm, connect):
    here, company = connect(autocommit=False), connect()
    here.execute("SELECT lead_protection.lock_leads(ARRAY[1, 2, 3])")
    company.execute("SET lock_timeout = '100ms'")
    company.execute("UPDATE crm.leads SET owner_id = 108")
    company.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    company.execute("DELETE FROM crm.leads WHERE id = 2")


def test_two_sessions_that_write_in_opposite_order_only_meet_themselves(crm, connect):
    one, other = connect(autocommit=False), connect(autocommit=False)
    one.execute("UPDATE crm.leads SET owner_id = 105 WHERE id = 1")
    other.execute("UPDATE crm.leads SET owner_id = 106 WHERE id = 2")
    one.execute("INSERT INTO crm.leads (id, owner_id) VALUES (20, 555)")
    other.execute("INSERT INTO crm.leads (id, owner_id) VALUES (10, 555)")
    follow(crm)
    other.commit()
    one.commit()
    assert_in_step(crm, "crm")


def test_a_call_and_the_worker_that_follow_the_same_lead_follow_it_once(crm, connect, wait_until):
    call, worker = connect(autocommit=False), connect()
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id IN (1, 2)")
    call.execute("SELECT lead_protection.close_lead(1, 108, 'LOST', 'x', 1)")
    worker.execute("CALL lead_protection.follow_adopted_tables()")
    assert crm.execute("SELECT user_id FROM lead_protection.leads WHERE id = 2").fetchone() == (108,)
    call.commit()
    assert news(crm) == ["lead.closed"] + ["lead.protection.transferred"] * 2
    assert queue(crm) == []
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
