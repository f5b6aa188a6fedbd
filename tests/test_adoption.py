"""A company's own table becomes our leads: checked, adopted under load, followed, switched on, disowned."""

import threading

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from command_line import run, run_ok
from conftest import run as run_program
from facts import events
from sources import CRM, LEGACY, SALES, SOURCES, assert_in_step, fill, under_load

E = psycopg.errors


def sqlstate(db, statement, *args) -> psycopg.Error:
    """The error that a statement raises; one that raises none fails the test."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(statement, *args)
    return caught.value


def schema_of(server, dbname, schema) -> str:
    """All that pg_dump tells of a schema."""
    dump = psycopg.conninfo.make_conninfo(server.url(dbname))
    done = run_program([str(server.bin / "pg_dump"), "--schema-only", f"--schema={schema}", dump], env=server.env)
    assert done.returncode == 0, done.stderr
    # From some minor release on, a dump bears a random key.
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def lead(db, lead_id):
    """User, start, closing and outcome of a lead here."""
    return db.execute(
        "SELECT user_id, created_at, closed_at IS NOT NULL, closed_as FROM lead_protection.leads WHERE id = %s",
        (lead_id,),
    ).fetchone()


def queue(db):
    """What waits in the queue: key and SQLSTATE."""
    return db.execute(
        "SELECT row_key, split_part(error, ':', 1) FROM lead_protection.adoption_queue ORDER BY lead_id, row_key"
    ).fetchall()


def let_pauses_pass(db):
    """As if what waits in the queue had been tried for the last time a day ago."""
    db.execute("UPDATE lead_protection.adoption_queue SET tried_at = tried_at - INTERVAL '1 day'")


def run_the_night(db):
    """The nightly job, which finds what is out of step, and a run of the pipeline, which follows it."""
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    db.execute("CALL lead_protection.run_protection_pipeline()")


# --- three tables, adopted while they are written to ---


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


# --- what is followed ---


@pytest.fixture
def crm(db):
    """The CRM's table, adopted and switched on, with three leads of 10 days: 1 and 2 of user 101, 3 of 102."""
    db.execute(CRM.ddl)
    for number, user in ((1, 101), (2, 101), (3, 102)):
        db.execute(CRM.insert_sql(number, 10, user))
    db.execute(CRM.adopt_sql())
    db.execute("CALL lead_protection.switch_on_adoption()")
    return db


def test_adoption_itself_tells_nobody(crm):
    assert events(crm) == []


def test_changes_that_do_not_matter_change_nothing(crm):
    before = crm.execute("SELECT xmin FROM lead_protection.leads ORDER BY id").fetchall()
    crm.execute("UPDATE crm.leads SET note = 'x'")
    crm.execute("UPDATE crm.leads SET owner_id = owner_id, status = 'contacted'")
    assert crm.execute("SELECT xmin FROM lead_protection.leads ORDER BY id").fetchall() == before
    assert events(crm) == []


def test_copy_and_many_rows_at_once(crm):
    with crm.cursor().copy("COPY crm.leads (id, owner_id, status) FROM STDIN") as copy:
        for number in range(1000, 1500):
            copy.write_row((number, 105, "won" if number % 2 else "new"))
    assert_in_step(crm, "crm")
    assert crm.execute("SELECT count(*) FROM lead_protection.leads WHERE user_id = 105").fetchone() == (500,)


def test_merge_and_on_conflict(crm):
    crm.execute(
        "MERGE INTO crm.leads AS t USING (VALUES (1, 103), (50, 103)) AS n (id, owner_id) ON t.id = n.id"
        " WHEN MATCHED THEN UPDATE SET owner_id = n.owner_id"
        " WHEN NOT MATCHED THEN INSERT (id, owner_id) VALUES (n.id, n.owner_id)"
    )
    crm.execute(
        "INSERT INTO crm.leads (id, owner_id) VALUES (2, 104), (51, 104)"
        " ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id"
    )
    assert [lead(crm, n)[0] for n in (1, 2, 50, 51)] == [103, 104, 103, 104]
    assert events(crm) == ["lead.protection.transferred"] * 2
    assert_in_step(crm, "crm")


def test_another_owner_is_a_transfer_from_now(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    (row,) = crm.execute(
        "SELECT event_type, user_id, actor_id, reason, details ->> 'user_id_before' FROM lead_protection.protection_log"
    )
    assert row == ("lead.protection.transferred", 108, 900, "as in crm.leads", "101")
    assert crm.execute("SELECT now() - created_at < '1 minute' FROM lead_protection.leads WHERE id = 1").fetchone()[0]


def test_an_earlier_start_is_backdating_and_a_later_one_a_change(crm):
    for days, event in ((20, "lead.protection.backdated"), (5, "lead.changed")):
        crm.execute("UPDATE crm.leads SET created_at = now() - %s * INTERVAL '1 day' WHERE id = 1", (days,))
        assert events(crm)[-1 if event.endswith("backdated") else 0] == event
        assert_in_step(crm, "crm")


def test_a_start_that_the_table_changes_does_not_touch_a_protection_that_began_with_a_transfer(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    before = lead(crm, 1)
    crm.execute("UPDATE crm.leads SET created_at = now() - INTERVAL '30 days' WHERE id = 1")
    assert lead(crm, 1) == before


def test_closed_reopened_and_closed_otherwise(crm):
    crm.execute("UPDATE crm.leads SET status = 'won' WHERE id = 1")
    assert lead(crm, 1)[2:] == (True, "CONVERTED")
    crm.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 1")
    assert lead(crm, 1)[2:] == (True, "LOST")
    crm.execute("UPDATE crm.leads SET status = 'new' WHERE id = 1")
    assert lead(crm, 1)[2:] == (False, None)
    assert events(crm) == ["lead.closed", "lead.closed", "lead.reopened", "lead.reopened"]


def test_deleted_and_back_softly_and_for_real(crm):
    crm.execute("UPDATE crm.leads SET deleted_at = now() WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    assert [lead(crm, n)[3] for n in (1, 2)] == ["DELETED", "DELETED"]
    crm.execute("UPDATE crm.leads SET deleted_at = NULL WHERE id = 1")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (2, 101)")
    assert [lead(crm, n)[2:] for n in (1, 2)] == [(False, None)] * 2
    assert events(crm) == ["lead.changed"] * 3 + ["lead.deleted"] * 2
    assert_in_step(crm, "crm")


def test_a_load_that_deletes_all_and_inserts_it_again_keeps_the_protections(crm):
    before = crm.execute("SELECT id, user_id, created_at, closed_at FROM lead_protection.leads ORDER BY id").fetchall()
    with crm.transaction():
        crm.execute("CREATE TEMPORARY TABLE saved AS SELECT * FROM crm.leads")
        crm.execute("DELETE FROM crm.leads")
        crm.execute("INSERT INTO crm.leads SELECT * FROM saved")
    after = crm.execute("SELECT id, user_id, created_at, closed_at FROM lead_protection.leads ORDER BY id").fetchall()
    assert after == before


def test_a_row_that_changes_its_number_is_another_lead(crm):
    crm.execute("UPDATE crm.leads SET id = 77 WHERE id = 1")
    assert lead(crm, 1)[3] == "DELETED"
    assert lead(crm, 77)[0] == 101
    assert_in_step(crm, "crm")


def test_owner_and_closing_of_a_closed_lead_are_followed_when_it_is_opened(crm):
    crm.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 1")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    assert lead(crm, 1)[0] == 101
    assert_in_step(crm, "crm")
    crm.execute("UPDATE crm.leads SET status = 'new' WHERE id = 1")
    assert lead(crm, 1)[0] == 108
    assert_in_step(crm, "crm")


def test_what_our_functions_did_stands_until_the_table_says_something_new(crm):
    crm.execute("SELECT lead_protection.transfer_lead(1, 101, 108, 'x', 1)")
    crm.execute("SELECT lead_protection.close_lead(2, 101, 'LOST', 'x', 1)")
    crm.execute("UPDATE crm.leads SET note = 'x', status = 'contacted'")
    crm.execute("CALL lead_protection.run_nightly_maintenance()")
    assert lead(crm, 1)[0] == 108
    assert lead(crm, 2)[2:] == (True, "LOST")
    crm.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 2")
    assert events(crm, 2) == ["lead.closed"], "it is closed so already"
    # Both are closed as won in the table: the one by its user of now, the other against what was said here.
    crm.execute("UPDATE crm.leads SET status = 'won' WHERE id IN (1, 2)")
    assert lead(crm, 1)[::3] == (108, "CONVERTED")
    assert lead(crm, 2)[::3] == (101, "CONVERTED")


def test_a_closing_here_that_is_under_way_is_waited_for(crm, connect, wait_until):
    here, company = connect(autocommit=False), connect()
    here.execute("SELECT lead_protection.close_lead(1, 101, 'LOST', 'x', 1)")
    thread = threading.Thread(target=company.execute, args=("UPDATE crm.leads SET owner_id = 108 WHERE id = 1",))
    thread.start()
    waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    wait_until(lambda: crm.execute(waits, (company.info.backend_pid,)).fetchone() == ("Lock",))
    here.commit()
    thread.join(timeout=30)
    assert crm.execute("SELECT owner_id FROM crm.leads WHERE id = 1").fetchone() == (108,), "no error of ours"
    assert lead(crm, 1)[::3] == (101, "LOST")


def test_truncate_is_refused(crm):
    error = sqlstate(crm, "TRUNCATE crm.leads")
    assert error.sqlstate == "LP047"
    assert "disown_source" in error.diag.message_hint
    assert crm.execute("SELECT count(*) FROM crm.leads").fetchone() == (3,)


def test_a_rollback_of_the_company_takes_ours_back(crm):
    with pytest.raises(ZeroDivisionError), crm.transaction():
        crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
        crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
        assert lead(crm, 1)[0] == 108
        raise ZeroDivisionError
    assert lead(crm, 1)[0] == 101
    assert lead(crm, 9) is None


def test_the_writer_needs_no_right_here(crm, server, connect):
    crm.execute("CREATE ROLE test_crm_program LOGIN")
    crm.execute("GRANT USAGE ON SCHEMA crm TO test_crm_program")
    crm.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON crm.leads TO test_crm_program")
    try:
        program = connect(user="test_crm_program")
        program.execute("SET search_path = crm; SET timezone = 'Pacific/Auckland'; SET datestyle = 'German'")
        program.execute("INSERT INTO leads (id, owner_id) VALUES (9, 101)")
        program.execute("UPDATE leads SET owner_id = 102 WHERE id = 9")
        program.execute("DELETE FROM leads WHERE id = 1")
        assert lead(crm, 9)[0] == 102
        assert_in_step(crm, "crm")
    finally:
        program.close()
        crm.execute("DROP OWNED BY test_crm_program")
        crm.execute("DROP ROLE test_crm_program")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_followed_at_every_isolation_level(crm, level):
    crm.execute(f"BEGIN ISOLATION LEVEL {level}")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    crm.execute("COMMIT")
    assert_in_step(crm, "crm")


# --- block and queue ---


BAD_ROWS = [
    ("INSERT INTO {} (id, owner_id) VALUES (9, NULL)", "LP049"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, NULL)", "LP049"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, now() + INTERVAL '1 hour')", "LP010"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, '1850-01-01')", "LP005"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, '-infinity')", "LP005"),
    ("UPDATE {} SET owner_id = NULL WHERE id = 1", "LP049"),
    ("UPDATE {} SET created_at = now() + INTERVAL '1 hour' WHERE id = 1", "LP010"),
]


@pytest.mark.parametrize(("statement", "code"), BAD_ROWS)
def test_block_lets_a_bad_row_fail_with_our_error(crm, statement, code):
    error = sqlstate(crm, statement.format("crm.leads"))
    assert error.sqlstate == code
    assert error.diag.message_hint
    assert crm.execute("SELECT count(*), count(owner_id) FROM crm.leads").fetchone() == (3, 3)
    assert_in_step(crm, "crm")


@pytest.mark.parametrize(("statement", "code"), BAD_ROWS)
def test_queue_lets_it_through_and_says_why_it_waits(db, statement, code):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(CRM.adopt_sql(on_failure="queue"))
    db.execute("CALL lead_protection.switch_on_adoption()")

    db.execute(statement.format("crm.leads"))
    assert [code for _, code in queue(db)] == [code]
    number = int(queue(db)[0][0])
    assert [row[3] for row in db.execute("SELECT * FROM lead_protection.find_adoption_drift()")] == [number]

    attempts = "SELECT attempts FROM lead_protection.adoption_queue"
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert db.execute(attempts).fetchone() == (1,), "not before its pause is over"
    let_pauses_pass(db)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert db.execute(attempts).fetchone() == (2,)
    # The company mends the row: in step at once, and out of the queue.
    db.execute("UPDATE crm.leads SET owner_id = 105, created_at = now() - INTERVAL '5 days' WHERE id = %s", (number,))
    assert queue(db) == []
    assert lead(db, number)[0] == 105
    assert_in_step(db, "crm")


def test_one_bad_row_among_many_keeps_only_itself_back(db):
    db.execute(CRM.ddl)
    db.execute(CRM.adopt_sql(on_failure="queue"))
    db.execute("INSERT INTO crm.leads (id, owner_id) SELECT n, nullif(n, 7) FROM generate_series(1, 20) AS n")
    assert queue(db) == [("7", "LP049")]
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (19,)


def test_the_pipeline_follows_what_can_be_followed_by_now(db):
    """The cause is gone without the row being touched: here a policy that was missing."""
    db.execute(CRM.ddl)
    db.execute(CRM.adopt_sql(on_failure="queue"))
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (1, 101)")
    assert queue(db) == [("1", "LP017")]
    db.execute("UPDATE lead_protection.protection_policies SET is_default = true WHERE id = 1")
    let_pauses_pass(db)

    db.execute("CALL lead_protection.run_protection_pipeline()")

    assert queue(db) == []
    assert_in_step(db, "crm")
    assert db.execute("SELECT result -> 'adopted_rows' FROM lead_protection.job_runs").fetchone() == (1,)


def test_bad_rows_do_not_stop_the_backfill(db):
    db.execute(CRM.ddl)
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at) SELECT n, nullif(n, 7),"
        " nullif(now(), CASE n WHEN 9 THEN now() END) FROM generate_series(1, 60) AS n"
    )
    db.execute(CRM.adopt_sql())
    assert queue(db) == [("7", "LP049"), ("9", "LP049")]
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (58,)


@pytest.mark.parametrize(
    ("ddl", "write", "waiting"),
    [
        ("DROP COLUMN owner_id", "UPDATE crm.leads SET status = 'won' WHERE id = 1", [("1", "42703")]),
        ("RENAME COLUMN status TO stage", "INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)", [("9", "42703")]),
        ("RENAME COLUMN id TO nr", "UPDATE crm.leads SET status = 'won' WHERE nr = 1", [("*", "42703")]),
    ],
)
def test_queue_lets_writes_through_whatever_became_of_the_columns(db, ddl, write, waiting):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(CRM.adopt_sql(on_failure="queue"))
    db.execute(f"ALTER TABLE crm.leads {ddl}")
    db.execute(write)
    assert queue(db) == waiting
    db.execute("SELECT lead_protection.retry_adoption_queue()")
    assert queue(db) == waiting
    (drift,) = db.execute("SELECT row_key, finding FROM lead_protection.find_adoption_drift()").fetchall()
    assert drift[0] is None and drift[1].startswith("the table cannot be read: column")
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    db.execute("CALL lead_protection.disown_source('crm.leads')")
    assert queue(db) == []


# --- written past the triggers ---


def test_a_table_that_is_renamed_or_moved_stays_adopted(crm):
    crm.execute("ALTER TABLE crm.leads RENAME TO prospects; ALTER TABLE crm.prospects SET SCHEMA public")
    crm.execute("INSERT INTO public.prospects (id, owner_id) VALUES (9, 101)")
    assert lead(crm, 9)[0] == 101
    crm.execute("CALL lead_protection.run_nightly_maintenance()")
    assert crm.execute("SELECT source FROM lead_protection.adoptions").fetchone() == ("public.prospects",)
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("CALL lead_protection.disown_source('public.prospects')")
    assert crm.execute("SELECT * FROM lead_protection.adopted_tables()").fetchall() == []


def test_the_night_finds_what_was_written_past_the_triggers(crm):
    crm.execute("SET session_replication_role = replica")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    crm.execute("RESET session_replication_role")
    drift = crm.execute(
        "SELECT lead_id, finding FROM lead_protection.find_adoption_drift() ORDER BY lead_id"
    ).fetchall()
    assert drift == [(1, "the row has changed"), (2, "the row is gone"), (9, "the row was not taken over")]

    run_the_night(crm)

    results = crm.execute("SELECT result FROM lead_protection.job_runs ORDER BY id").fetchall()
    assert (results[0][0]["adopted_rows_queued"], results[1][0]["adopted_rows"]) == (3, 3)
    assert_in_step(crm, "crm")


def test_a_partitioned_table_is_adopted_and_writes_to_a_partition_are_found_by_night(db):
    db.execute("""
        CREATE SCHEMA crm;
        CREATE TABLE crm.leads (id bigint PRIMARY KEY, owner_id bigint, created_at timestamptz DEFAULT now(),
            status text DEFAULT 'new', deleted_at timestamptz) PARTITION BY RANGE (id);
        CREATE TABLE crm.leads_1 PARTITION OF crm.leads FOR VALUES FROM (0) TO (1000);
    """)
    assert ("warning", "table") in check(db, CRM)
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (1, 101)")
    db.execute(CRM.adopt_sql())
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (2, 101)")
    db.execute("INSERT INTO crm.leads_1 (id, owner_id) VALUES (3, 101)")
    assert [row[3] for row in db.execute("SELECT * FROM lead_protection.find_adoption_drift()")] == [3]
    db.execute("CALL lead_protection.switch_on_adoption()")
    run_the_night(db)
    assert_in_step(db, "crm")


def test_a_table_that_was_dropped_is_told_and_can_be_disowned(crm):
    crm.execute("DROP TABLE crm.leads")
    findings = [row[0] for row in crm.execute("SELECT finding FROM lead_protection.find_adoption_drift()")]
    assert findings[0] == "a trigger is missing or disabled"
    assert "there is no such table" in findings[1]
    crm.execute("CALL lead_protection.run_nightly_maintenance()")
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []


# --- adopted again, in another way, twice ---


def test_adopted_again_with_the_same_arguments_nothing_changes(crm):
    before = crm.execute("SELECT * FROM lead_protection.adoptions").fetchall()
    crm.execute(CRM.adopt_sql())
    assert crm.execute("SELECT * FROM lead_protection.adoptions").fetchall() == before


def test_adopted_in_another_way_or_another_table_is_refused(crm):
    assert sqlstate(crm, CRM.adopt_sql(lost_when="status = 'gone'")).sqlstate == "LP048"
    assert sqlstate(crm, CRM.adopt_sql(on_failure="queue")).sqlstate == "LP048"
    crm.execute(LEGACY.ddl)
    error = sqlstate(crm, LEGACY.adopt_sql())
    assert error.sqlstate == "LP048"
    assert "disown_source('crm.leads')" in error.diag.message_hint
    assert crm.execute("SELECT count(*) FROM lead_protection.adoptions").fetchone() == (1,)


def test_disowned_and_adopted_again_follows_what_changed_meanwhile(crm):
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    assert lead(crm, 1)[0] == 101
    crm.execute(CRM.adopt_sql(lost_when="status IN ('lost', 'gone')"))
    assert_in_step(crm, "crm")
    assert events(crm) == ["lead.deleted", "lead.protection.transferred"]


def test_another_table_after_the_first_was_disowned(crm):
    """The same leads moved to a new table: those that are the same go on, another one of a number in use is told."""
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("CREATE TABLE crm.new_leads AS SELECT * FROM crm.leads")
    crm.execute("ALTER TABLE crm.new_leads ADD PRIMARY KEY (id); UPDATE crm.new_leads SET owner_id = 105 WHERE id = 3")
    crm.execute(CRM.adopt_sql(source="crm.new_leads"))
    assert queue(crm) == [("3", "LP046")]
    assert lead(crm, 3)[0] == 102
    crm.execute("UPDATE crm.new_leads SET owner_id = 108 WHERE id = 1")
    assert lead(crm, 1)[0] == 108
    # The old one is nobody's business any more.
    crm.execute("DELETE FROM crm.leads")
    assert crm.execute("SELECT count(*) FROM lead_protection.leads WHERE closed_as = 'DELETED'").fetchone() == (0,)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"on_failure": "ignore"}, "LP052"),
        ({"batch_size": 0}, "LP016"),
        ({"id_column": "nr"}, "LP045"),
        ({"user_column": "status_at"}, "LP045"),
        ({"converted_when": "status = "}, "LP045"),
        ({"lost_when": "1"}, "LP045"),
        ({"time_zone": "Europe/Nowhere"}, "LP045"),
        ({"source": "lead_protection.leads"}, "LP045"),
    ],
)
def test_bad_arguments_are_refused_and_change_nothing(db, server, changes, code):
    db.execute(CRM.ddl)
    before = schema_of(server, db.info.dbname, "crm")
    error = sqlstate(db, CRM.adopt_sql(**changes))
    assert error.sqlstate == code
    assert error.diag.message_detail and error.diag.message_hint
    assert db.execute("SELECT * FROM lead_protection.adoptions").fetchall() == []
    assert schema_of(server, db.info.dbname, "crm") == before


@pytest.mark.parametrize("missing", ["source", "actor_id", "id_column", "user_column", "start_column"])
def test_null_arguments_are_refused(db, missing):
    db.execute(CRM.ddl)
    given = {"source": "'crm.leads'", "actor_id": "1", "user_column": "'owner_id'"} | {missing: "NULL"}
    call = ", ".join(f"{name} => {value}" for name, value in given.items())
    assert sqlstate(db, f"CALL lead_protection.adopt_leads({call})").sqlstate == "LP001"


def test_nothing_to_switch_on_or_disown(db):
    error = sqlstate(db, "CALL lead_protection.switch_on_adoption()")
    assert (error.sqlstate, error.diag.message_detail) == ("LP051", "No table of leads is adopted.")
    assert sqlstate(db, "CALL lead_protection.disown_source('crm.leads')").sqlstate == "LP051"
    db.execute(
        "CREATE TABLE public.calls"
        " (id bigint PRIMARY KEY, lead_id bigint, user_id bigint, occurred_at timestamptz, kind text)"
    )
    assert sqlstate(db, "CALL lead_protection.adopt_activities('public.calls', 1)").sqlstate == "LP051"


def test_rolling_back_stops_at_an_adopted_table(crm, database_url):
    status, output = run("rollback", "--all", "--yes", "--database", database_url)
    assert status == 1
    assert "trigger lead_protection_insert on table crm.leads" in output
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    assert lead(crm, 9)[0] == 101


# --- the check ---


def check(db, source, **changes):
    """Severity and item of all findings that are not ok."""
    arguments = {
        name: value for name, value in (source.arguments | changes).items() if name not in ("on_failure", "batch_size")
    }
    query = sql.SQL("SELECT severity, split_part(item, ' ', 1) FROM lead_protection.check_lead_source(%s, {})").format(
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(n), sql.Literal(v)) for n, v in arguments.items())
    )
    return [row for row in db.execute(query, (source.table,)) if row[0] != "ok"]


@pytest.mark.parametrize(
    ("ddl", "found"),
    [
        ("ALTER TABLE crm.leads DROP CONSTRAINT leads_pkey", [("warning", "user_column"), ("warning", "start_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN owner_id SET NOT NULL, ALTER COLUMN created_at SET NOT NULL", []),
        ("ALTER TABLE crm.leads ALTER COLUMN id TYPE text", [("problem", "id_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN id TYPE numeric", [("problem", "id_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN owner_id TYPE numeric", [("problem", "user_column")]),
        ("ALTER TABLE crm.leads ALTER COLUMN created_at TYPE timestamp", [("problem", "start_column")]),
        (
            "ALTER TABLE crm.leads ALTER COLUMN created_at DROP DEFAULT, ALTER COLUMN created_at TYPE text",
            [("problem", "start_column")],
        ),
        ("ALTER TABLE crm.leads DROP COLUMN owner_id", [("problem", "user_column")]),
        ("ALTER TABLE crm.leads SET UNLOGGED", [("problem", "table")]),
        (
            "ALTER TABLE crm.leads DROP CONSTRAINT leads_pkey; CREATE UNIQUE INDEX ON crm.leads (id) WHERE id > 5",
            [("problem", "id_column")],
        ),
        (
            "ALTER TABLE crm.leads DROP CONSTRAINT leads_pkey; CREATE UNIQUE INDEX ON crm.leads (id, note)",
            [("problem", "id_column")],
        ),
    ],
)
def test_check_finds(db, ddl, found):
    db.execute(CRM.ddl)
    db.execute(ddl)
    findings = check(db, CRM)
    for finding in found:
        assert finding in findings
    if not found:
        assert findings == []
    if "DROP CONSTRAINT" in ddl:
        assert ("problem", "id_column") in findings


def test_check_wants_to_know_when_a_lead_is_closed(db):
    db.execute(
        "CREATE TABLE public.leads (id bigint PRIMARY KEY, user_id bigint NOT NULL, created_at timestamptz NOT NULL)"
    )
    rows = db.execute(
        "SELECT severity, item FROM lead_protection.check_lead_source('public.leads') WHERE severity <> 'ok'"
    )
    assert rows.fetchall() == [("warning", "closing")]


def test_check_of_a_view_and_of_no_table(db):
    db.execute("CREATE VIEW public.leads AS SELECT 1::bigint AS id")
    assert check_all(db, "public.leads") == [("problem", "table")]


def check_all(db, table):
    return db.execute("SELECT severity, item FROM lead_protection.check_lead_source(%s)", (table,)).fetchall()[:1]


def test_check_names_the_rights_that_the_owner_lacks(db, server):
    """With the owner of the schema an ordinary role, as it should be."""
    db.execute(CRM.ddl)
    db.execute("CREATE ROLE test_lp_owner")
    try:
        db.execute("ALTER SCHEMA lead_protection OWNER TO test_lp_owner")
        advice = (
            "SELECT advice FROM lead_protection.check_lead_source('crm.leads', user_column => 'owner_id')"
            " WHERE item LIKE 'rights%'"
        )
        assert [row[0].split(";")[0] for row in db.execute(advice)] == [
            "GRANT USAGE ON SCHEMA crm TO test_lp_owner",
            "GRANT SELECT ON crm.leads TO test_lp_owner",
            "GRANT TRIGGER ON crm.leads TO test_lp_owner",
        ]
        for (statement,) in db.execute(advice).fetchall():
            db.execute(statement.split(";")[0])
        assert db.execute(advice).fetchall() == []
        db.execute("ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY")
        ((statement,),) = db.execute(advice).fetchall()
        db.execute(statement.removeprefix("Give it a policy that shows all rows: "))
        assert db.execute(advice).fetchall() == []
        db.execute("CREATE POLICY only_mine ON crm.leads AS RESTRICTIVE USING (owner_id = 1)")
        assert len(db.execute(advice).fetchall()) == 1
    finally:
        db.execute("ALTER SCHEMA lead_protection OWNER TO postgres")
        db.execute("DROP OWNED BY test_lp_owner CASCADE; DROP ROLE test_lp_owner")


def test_check_changes_nothing(db):
    fill(db, SALES, rows=5)
    with db.transaction():
        db.execute("SET TRANSACTION READ ONLY")
        assert check(db, SALES) == []


# --- switching on ---


def ages(db, *days):
    """The CRM's table, adopted, with a lead for each age in days."""
    db.execute(CRM.ddl)
    for number, age in enumerate(days, 1):
        db.execute(CRM.insert_sql(number, age, 101))
    db.execute(CRM.adopt_sql())


def previewed(db):
    return {row[0]: row[1] for row in db.execute("SELECT * FROM lead_protection.preview_switch_on()") if row[1]}


def states(db):
    return [row[0] for row in db.execute("SELECT state FROM lead_protection.v_user_lead_protection ORDER BY lead_id")]


def test_what_lies_in_the_past_is_recorded_and_not_sent(db):
    ages(db, 10, 249, 300, 400)
    db.execute("UPDATE crm.leads SET status = 'won' WHERE id = 4")
    assert previewed(db) == {"protected": 1, "reminder overdue": 1, "expired": 1, "closed": 1}
    before_closing = events(db)

    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")

    assert events(db) == before_closing == ["lead.closed"], "and not the expiry of before"
    assert states(db) == ["PROTECTED", "GRACE", "EXPIRED", "CLOSED"]
    assert previewed(db) == {"protected": 1, "reminded": 1, "expired, recorded": 1, "closed": 1}
    assert db.execute("SELECT lead_id, adopted FROM lead_protection.lead_reminders").fetchall() == [(2, True)]
    assert db.execute("SELECT lead_id, adopted FROM lead_protection.lead_expiries ORDER BY 1").fetchall() == [
        (3, True),
        (4, True),
    ]


def test_a_lead_on_hold_at_the_switch_on_is_reminded_when_its_clock_runs_on(db):
    ages(db, 249)
    db.execute("SELECT lead_protection.create_lead_hold(1, 101, 'x', 1)")
    assert previewed(db) == {"on hold": 1}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("SELECT lead_protection.record_adopted_past('{1}')")
    assert db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone() == (0,)
    db.execute("SELECT lead_protection.release_lead_hold(1, 101, 1)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert "lead.protection.reminder" in events(db)


def test_leads_that_are_closed_already_were_closed_when_their_column_says(db):
    db.execute(CRM.ddl)
    db.execute("ALTER TABLE crm.leads ADD COLUMN closed_on date")
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at, status, closed_on) VALUES"
        " (1, 101, '2026-03-01Z', 'won', '2026-04-02'), (2, 101, '2026-03-01Z', 'won', NULL),"
        " (3, 101, '2026-03-01Z', 'won', '2026-02-01'), (4, 101, '2026-03-01Z', 'new', '2026-04-02')"
    )
    db.execute(CRM.adopt_sql(closed_at_column="closed_on", time_zone="Europe/Berlin"))
    closed = db.execute(
        "SELECT closed_at AT TIME ZONE 'Europe/Berlin', now() - closed_at < '1 minute'"
        " FROM lead_protection.leads ORDER BY id"
    ).fetchall()
    assert closed[0][0].isoformat() == "2026-04-02T00:00:00"
    assert closed[1][1], "as it is taken over"
    assert closed[2][0].isoformat() == "2026-03-01T01:00:00", "not before it began"
    assert closed[3][0] is None


def test_until_it_is_switched_on_the_pipeline_waits(db):
    ages(db, 249)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == []
    assert db.execute("SELECT outcome, result ->> 'waiting' FROM lead_protection.job_runs").fetchall() == [
        ("skipped", "the adoption of crm.leads is not switched on")
    ]


def test_what_falls_due_after_it_was_switched_on_is_sent(db):
    ages(db, 10)
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute(CRM.insert_sql(2, 249, 101))
    db.execute(CRM.insert_sql(3, 300, 101))
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == ["lead.protection.expired", "lead.protection.reminder"]


def test_switched_on_twice_or_after_an_interruption(db, connect):
    ages(db, 249, 300, 249, 300)
    db.execute("SELECT lead_protection.record_adopted_past('{1}')")
    db.execute("CALL lead_protection.switch_on_adoption(1)")
    first = db.execute("SELECT * FROM lead_protection.lead_reminders ORDER BY 1").fetchall()
    db.execute("CALL lead_protection.switch_on_adoption()")
    assert db.execute("SELECT * FROM lead_protection.lead_reminders ORDER BY 1").fetchall() == first
    assert states(db) == ["GRACE", "EXPIRED", "GRACE", "EXPIRED"]


def test_a_policy_with_notice_still_gives_it(db):
    db.execute("SELECT lead_protection.create_policy_version('n', 1, notice_required => true)")
    db.execute("SELECT lead_protection.set_default_policy(2, 1)")
    ages(db, 249, 300)
    assert previewed(db) == {"owed a notice": 2}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == ["lead.protection.reminder"] * 2
    assert states(db) == ["GRACE", "GRACE"]


def test_adopted_reminders_are_no_part_of_the_sla(db):
    ages(db, 249)
    db.execute("CALL lead_protection.switch_on_adoption()")
    assert db.execute("SELECT * FROM lead_protection.v_reminder_sla").fetchall() == []


# --- holds and reminders that were there before ---


HOLDS = """
CREATE TABLE crm.pauses (lead_no integer, "from" timestamp, "until" timestamp, why text, rep bigint);
INSERT INTO crm.pauses VALUES
    (1, '2026-03-01 09:00', '2026-03-11 09:00', 'FFZ_SAMPLE_DELAY', 101),
    (1, '2026-03-05 09:00', '2026-03-15 09:00', 'and again', 101),
    (1, '2026-03-01 09:00', '2026-03-11 09:00', 'twice', 101),
    (2, '2026-04-01 09:00', NULL, ' ', 101),
    (2, '2026-04-02 09:00', NULL, 'open twice', 101),
    (3, '2026-04-01 09:00', '2026-03-01 09:00', 'the wrong way round', 101),
    (3, '2026-04-01 09:00', '2026-04-03 09:00', 'of another', 105),
    (3, NULL, '2026-04-03 09:00', 'no start', 101),
    (99, '2026-04-01 09:00', '2026-04-03 09:00', 'no lead', 101),
    (NULL, '2026-04-01 09:00', '2026-04-03 09:00', 'nothing', 101);
"""
IMPORT_HOLDS = """
SELECT lead_id, outcome, why FROM lead_protection.import_holds(
    'crm.pauses', 900, 'lead_no', 'from', 'until', user_column => 'rep', reason => 'why', time_zone => 'Europe/Berlin'
)
"""


def test_holds_are_imported_with_a_report(db):
    db.execute(CRM.ddl)
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at) SELECT n, 101, '2026-02-01 08:00Z'"
        " FROM generate_series(1, 3) AS n"
    )
    db.execute(CRM.adopt_sql())
    db.execute(HOLDS)
    overlaps = "it overlaps another one: together they stop the clock once"
    assert db.execute(IMPORT_HOLDS).fetchall() == [
        (1, "imported", overlaps),
        (1, "duplicate", "the same hold is there already"),
        (1, "imported", overlaps),
        (2, "imported", None),
        (2, "duplicate", "the lead has an open hold already; one is enough to stop its clock"),
        (3, "refused", "it ends before it starts"),
        (3, "imported", "it is of another user than the lead is now: it stops nothing"),
        (3, "refused", "it has no start"),
        (99, "refused", "there is no such lead"),
        (None, "refused", "there is no such lead"),
    ]
    holds = db.execute(
        "SELECT lead_id, reason, reason_code, created_by, start_at AT TIME ZONE 'Europe/Berlin'"
        " FROM lead_protection.lead_holds ORDER BY lead_id, start_at"
    ).fetchall()
    assert [row[:4] for row in holds] == [
        (1, "FFZ_SAMPLE_DELAY", "FFZ_SAMPLE_DELAY", 900),
        (1, "and again", "OTHER", 900),
        (2, "from crm.pauses", "OTHER", 900),
        (3, "of another", "OTHER", 900),
    ]
    assert holds[0][4].isoformat() == "2026-03-01T09:00:00"
    # 14 days in all for lead 1, the overlap once.
    moved = "SELECT protection_expires_at - base_expires_at FROM lead_protection.lead_clocks WHERE lead_id = 1"
    assert db.execute(moved).fetchone()[0].total_seconds() == 14 * 86400
    assert db.execute("SELECT on_hold FROM lead_protection.v_user_lead_protection ORDER BY lead_id").fetchall() == [
        (False,),
        (True,),
        (False,),
    ]
    assert events(db) == []

    again = db.execute(IMPORT_HOLDS).fetchall()
    assert {row[1] for row in again} == {"duplicate", "refused"}
    assert db.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (4,)
    assert db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []


def test_reminders_are_imported_and_none_is_sent_again(db):
    ages(db, 249, 249, 249, 10)
    db.execute("""
        CREATE TABLE crm.mails (lead bigint, sent timestamptz);
        INSERT INTO crm.mails
        SELECT lead_id, reminder_due_at + INTERVAL '1 second' FROM lead_protection.lead_clocks WHERE lead_id IN (1, 2);
        INSERT INTO crm.mails SELECT * FROM crm.mails WHERE lead = 1;
        INSERT INTO crm.mails
        SELECT lead_id, reminder_due_at - INTERVAL '40 days' FROM lead_protection.lead_clocks WHERE lead_id = 3;
        INSERT INTO crm.mails VALUES (4, now() + INTERVAL '1 day'), (4, NULL), (99, now());
    """)
    imported = db.execute(
        "SELECT lead_id, outcome, why FROM lead_protection.import_reminders('crm.mails', 'lead', 'sent')"
    ).fetchall()
    assert imported == [
        (1, "imported", None),
        (1, "duplicate", "a reminder for that date is there already"),
        (2, "imported", None),
        (
            3,
            "imported",
            "it is for an earlier date than the present expiry, or another user, and does not count for it",
        ),
        (4, "refused", "it was not sent in the past"),
        (4, "refused", "it says not when it was sent"),
        (99, "refused", "there is no such lead"),
    ]
    assert previewed(db) == {"protected": 1, "reminded": 2, "reminder overdue": 1}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == []
    assert states(db) == ["GRACE", "GRACE", "GRACE", "PROTECTED"]
    again = db.execute("SELECT DISTINCT outcome FROM lead_protection.import_reminders('crm.mails', 'lead', 'sent')")
    assert sorted(row[0] for row in again) == ["duplicate", "refused"]


@pytest.mark.parametrize(
    "call",
    [
        "import_holds('crm.leads', 1)",
        "import_holds('crm.leads', 1, 'id', 'note', 'created_at', reason => 'note')",
        "import_holds('crm.leads', 1, 'id', 'created_at', 'created_at', reason => 'nonsense')",
        "import_reminders('crm.leads')",
        "import_reminders('crm.leads', 'status', 'created_at')",
    ],
)
def test_an_import_that_cannot_be_is_refused(crm, call):
    error = sqlstate(crm, f"SELECT * FROM lead_protection.{call}")
    assert error.sqlstate == "LP045"
    assert crm.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (0,)


# --- activities ---


CALLS = """
CREATE TABLE crm.calls (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), lead_no bigint, caller bigint, at timestamptz, what text
);
"""
ADOPT_CALLS = (
    "CALL lead_protection.adopt_activities('crm.calls', 900, lead_column => 'lead_no', user_column => 'caller',"
    " occurred_column => 'at', kind => $$CASE what WHEN 'call' THEN 'QUALIFIED_CALL' WHEN 'mail' THEN 'EMAIL_SENT'"
    " WHEN 'odd' THEN 'ODD' END$$, on_failure => '{}')"
)


@pytest.fixture
def calls(db):
    """The CRM's table under the parallel rule, adopted and switched on, and its calls, adopted."""
    db.execute("SELECT lead_protection.create_policy_version('p', 1, rule => 'parallel')")
    db.execute("SELECT lead_protection.set_default_policy(2, 1)")
    ages(db, 40, 40)
    db.execute(CALLS)
    db.execute("INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (1, 101, now() - INTERVAL '20 days', 'call')")
    db.execute("INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (1, 101, now() - INTERVAL '9 days', 'chat')")
    db.execute("INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (NULL, 101, now(), 'call')")
    db.execute(ADOPT_CALLS.format("block"))
    db.execute("CALL lead_protection.switch_on_adoption()")
    return db


def idle_days(db, lead_id):
    """Since how many days the lead's idle clock runs."""
    return db.execute(
        "SELECT extract(day FROM now() - idle_from)::int FROM lead_protection.lead_clocks WHERE lead_id = %s",
        (lead_id,),
    ).fetchone()[0]


def test_activities_that_were_there_count_and_tell_nobody(calls):
    assert idle_days(calls, 1) == 20
    assert idle_days(calls, 2) == 40
    assert events(calls) == []
    assert calls.execute("SELECT count(*) FROM lead_protection.lead_activities").fetchone() == (1,)


def test_activities_are_followed(calls):
    insert = (
        "INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (2, 101, now() - INTERVAL '5 days', %s) RETURNING id"
    )
    call = calls.execute(insert, ("call",)).fetchone()[0]
    assert idle_days(calls, 2) == 5
    calls.execute("UPDATE crm.calls SET at = now() - INTERVAL '7 days' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 7
    calls.execute("UPDATE crm.calls SET what = 'mail' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    calls.execute("UPDATE crm.calls SET what = 'call', caller = 105 WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    calls.execute("UPDATE crm.calls SET caller = 101 WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 7
    calls.execute("UPDATE crm.calls SET lead_no = 1 WHERE id = %s", (call,))
    assert (idle_days(calls, 1), idle_days(calls, 2)) == (7, 40)
    calls.execute("UPDATE crm.calls SET lead_no = 2 WHERE id = %s", (call,))
    assert (idle_days(calls, 1), idle_days(calls, 2)) == (20, 7)
    # No activity any more, and one again.
    calls.execute("UPDATE crm.calls SET what = 'chat' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    calls.execute("UPDATE crm.calls SET what = 'call' WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 7
    calls.execute("DELETE FROM crm.calls WHERE id = %s", (call,))
    assert idle_days(calls, 2) == 40
    assert calls.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert set(events(calls)) == {"lead.activity.recorded", "lead.activity.corrected", "lead.activity.deleted"}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("(99, 101, now(), 'call')", "LP002"),
        ("(1, 101, now(), 'odd')", "LP021"),
        ("(1, NULL, now(), 'call')", "LP049"),
        ("(1, 101, NULL, 'call')", "LP049"),
        ("(1, 101, now() + INTERVAL '1 day', 'call')", "LP010"),
    ],
)
def test_activities_that_cannot_be_followed_block_or_wait(calls, values, code):
    insert = f"INSERT INTO crm.calls (lead_no, caller, at, what) VALUES {values}"
    assert sqlstate(calls, insert).sqlstate == code
    calls.execute("CALL lead_protection.disown_source('crm.calls')")
    calls.execute(ADOPT_CALLS.format("queue"))
    calls.execute(insert)
    assert [row[1] for row in queue(calls)] == [code]
    calls.execute("DELETE FROM crm.calls WHERE at IS NULL OR at > now() - INTERVAL '1 day'")
    assert queue(calls) == []


def test_an_activity_may_come_before_its_lead_where_it_may_wait(calls):
    calls.execute("CALL lead_protection.disown_source('crm.calls')")
    calls.execute(ADOPT_CALLS.format("queue"))
    calls.execute(
        "INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (50, 101, now() - INTERVAL '1 day', 'call')"
    )
    assert [row[1] for row in queue(calls)] == ["LP002"]
    calls.execute(CRM.insert_sql(50, 5, 101))
    let_pauses_pass(calls)
    calls.execute("CALL lead_protection.run_protection_pipeline()")
    assert queue(calls) == []
    assert idle_days(calls, 50) == 1


# --- users with names ---


def test_users_with_names_get_numbers_once_and_for_all_tables(db):
    db.execute(LEGACY.ddl)
    for number, user in enumerate(LEGACY.users, 1):
        db.execute(LEGACY.insert_sql(number, 10, user.replace("'", "''")))
    db.execute(LEGACY.adopt_sql())
    db.execute("CREATE TABLE legacy.pausen (kunde bigint, von date, bis date, wer text)")
    db.execute(
        "INSERT INTO legacy.pausen VALUES (1, '2026-11-16', NULL, 'Müller'), (2, '2026-11-16', NULL, 'somebody new')"
    )
    db.execute(
        "SELECT * FROM lead_protection.import_holds("
        "'legacy.pausen', 1, 'kunde', 'von', 'bis', 'wer', 'NULL', 'Europe/Vienna')"
    )
    numbers = {row[0]: row[1] for row in db.execute("SELECT user_key, user_id FROM lead_protection.adopted_users")}
    assert numbers.keys() == {*LEGACY.users, "somebody new"}
    assert len(set(numbers.values())) == len(numbers)
    assert lead(db, 1)[0] == numbers["Müller"] != numbers["müller"]
    assert db.execute("SELECT on_hold FROM lead_protection.v_user_lead_protection WHERE lead_id = 1").fetchone() == (
        True,
    )
    db.execute("UPDATE legacy.kunden SET vertreter = 'Müller' WHERE nr = 2")
    assert lead(db, 2)[0] == numbers["Müller"]
    assert sqlstate(db, "UPDATE legacy.kunden SET vertreter = '  ' WHERE nr = 2").sqlstate == "LP049"


# --- as an ordinary role ---


def test_an_owner_without_the_table_adopts_it_and_needs_its_owner_to_drop_the_triggers(server, empty_database_url):
    """SELECT and TRIGGER are enough to adopt; only the table's owner can drop a trigger, which is told and harmless."""
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        dbname = admin.info.dbname
        admin.execute("CREATE ROLE test_dba LOGIN; CREATE ROLE test_crm LOGIN")
        try:
            admin.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO test_dba").format(sql.Identifier(dbname)))
            admin.execute("GRANT CREATE ON SCHEMA public TO test_dba")
            admin.execute(CRM.ddl)
            admin.execute("ALTER TABLE crm.leads OWNER TO test_crm; GRANT USAGE, CREATE ON SCHEMA crm TO test_crm")
            run_ok("apply", "--database", empty_database_url.replace("postgres@", "test_dba@"))
            with psycopg.connect(empty_database_url, user="test_dba", autocommit=True, row_factory=dict_row) as dba:
                assert sqlstate(dba, CRM.adopt_sql()).sqlstate == "42501", "PostgreSQL's own: it may not even look"
                admin.execute("GRANT USAGE ON SCHEMA crm TO test_dba")
                assert sqlstate(dba, CRM.adopt_sql()).sqlstate == "LP045"
                admin.execute("GRANT SELECT, TRIGGER ON crm.leads TO test_dba")
                dba.execute(CRM.adopt_sql())
                with psycopg.connect(empty_database_url, user="test_crm", autocommit=True) as crm:
                    crm.execute(CRM.insert_sql(1, 10, 101))
                assert lead(admin, 1)[0] == 101
                error = sqlstate(dba, "CALL lead_protection.disown_source('crm.leads')")
                assert error.sqlstate == "LP053"
                admin.execute("UPDATE crm.leads SET owner_id = NULL WHERE id = 1")
                admin.execute(error.diag.message_hint.split(": ")[1].rstrip("."))
                assert lead(admin, 1)[0] == 101
                left = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'crm.leads'::regclass"
                assert admin.execute(left).fetchone() == (0,)
        finally:
            admin.execute("DROP OWNED BY test_dba, test_crm CASCADE; DROP ROLE test_dba, test_crm")


def test_explain_says_that_a_reminder_was_taken_over(db):
    ages(db, 249)
    db.execute("CALL lead_protection.switch_on_adoption()")
    explained = db.execute("SELECT explanation FROM lead_protection.explain_protection(1) WHERE item = 'REMINDER'")
    assert "Taken over as sent at" in explained.fetchone()[0]
    shown = db.execute("SELECT adopted FROM lead_protection.v_lead_reminders").fetchall()
    assert shown == [(True,)]


# --- the command line ---


def test_check_works_before_anything_is_installed_and_leaves_nothing(server, empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute(CRM.ddl)
        admin.execute("CREATE TABLE public.lead_holds (lead_id bigint, start_at timestamptz, end_at timestamptz)")
        catalog = "SELECT (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_')"
        before = admin.execute(catalog).fetchone()
        status, output = run("check", "--database", empty_database_url)
        assert status == 1
        assert "crm.leads as leads" in output and "lead_holds as holds" in output
        assert "problem  user_column user_id          there is no such column" in output
        assert "problem  reason" in output and output.endswith("Not yet: see the problems above.\n")

        status, output = run("check", "--database", empty_database_url, "crm.leads", "user_column=owner_id")
        assert status == 0
        assert "warning  user_column owner_id         may be null" in output and "\033" not in output
        status, output = run("check", "--database", empty_database_url, "--as", "holds", "lead_holds", "reason=NULL")
        assert (status, "Fit to be adopted." in output) == (0, True)
        assert admin.execute(catalog).fetchone() == before


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["crm.leads", "owner=x"], 2, "a table of leads has no owner; there are: id_column, user_column,"),
        (["crm.nothing"], 1, "there is no table crm.nothing"),
        ([], 1, "no table of another schema is named leads, lead_activities, lead_holds, lead_reminders"),
    ],
)
def test_check_refuses_what_it_cannot_check(empty_database_url, arguments, status, says):
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA crm; CREATE TABLE crm.leads_ (id bigint); CREATE VIEW crm.lead AS SELECT 1")
        if "owner=x" in arguments:
            admin.execute("ALTER TABLE crm.leads_ RENAME TO leads")
    done, output = run("check", "--database", empty_database_url, *arguments)
    assert done == status and says in output


# --- nothing of the past is sent, whatever is done before or instead of the switch-on ---


def past_of(db):
    """What was published of ends and reminders, which lie in the past here."""
    return [event for event in events(db) if event in ("lead.protection.expired", "lead.protection.reminder")]


def test_disowned_instead_of_switched_on_sends_nothing(db):
    ages(db, 249, 300)
    db.execute("CALL lead_protection.disown_source('crm.leads')")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == []
    assert states(db) == ["GRACE", "EXPIRED"]


def test_rows_that_waited_at_the_switch_on_are_history_when_they_come(db):
    db.execute(CRM.ddl)
    for number, age in enumerate((249, 300, 10), 1):
        db.execute(CRM.insert_sql(number, age, 101))
    db.execute("UPDATE crm.leads SET owner_id = NULL")
    db.execute(CRM.adopt_sql())
    assert previewed(db) == {"in adoption_queue": 3}
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("UPDATE crm.leads SET owner_id = 101")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == []
    assert states(db) == ["GRACE", "EXPIRED", "PROTECTED"]


def test_changes_before_the_switch_on_do_not_publish_old_expiries(db):
    ages(db, 300, 300, 300)
    db.execute("UPDATE crm.leads SET status = 'lost' WHERE id = 1")
    db.execute("UPDATE crm.leads SET owner_id = 102 WHERE id = 2")
    db.execute("DELETE FROM crm.leads WHERE id = 3")
    assert events(db) == ["lead.closed", "lead.deleted", "lead.protection.transferred"]


def test_adopted_again_while_live_keeps_sending_and_takes_new_rows_as_history(crm):
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute(CRM.insert_sql(4, 249, 101))
    crm.execute(CRM.insert_sql(5, 300, 101))
    crm.execute(CRM.adopt_sql())
    crm.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (9, 7, now() - INTERVAL '249 days')"
    )
    crm.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(crm) == ["lead.protection.reminder"], "of lead 9, which is not of the table"
    assert events(crm, 9) == ["lead.protection.reminder"]
    assert states(crm)[3:5] == ["GRACE", "EXPIRED"]


def test_leads_that_come_while_it_is_switched_on_are_recorded_too(db, connect, wait_until):
    ages(db, 300)
    blocker, switch = connect(autocommit=False), connect()
    blocker.execute("SELECT lead_protection.lock_leads('{1}')")
    thread = threading.Thread(target=switch.execute, args=("CALL lead_protection.switch_on_adoption()",))
    thread.start()
    waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    wait_until(lambda: db.execute(waits, (switch.info.backend_pid,)).fetchone() == ("Lock",))
    db.execute(CRM.insert_sql(2, 300, 101))
    blocker.rollback()
    thread.join(timeout=30)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert events(db) == []


def test_activities_that_waited_at_their_adoption_tell_nobody_when_they_come(calls):
    calls.execute("CALL lead_protection.disown_source('crm.calls')")
    calls.execute(
        "INSERT INTO crm.calls (lead_no, caller, at, what) VALUES (60, 101, now() - INTERVAL '2 days', 'call')"
    )
    calls.execute(ADOPT_CALLS.format("queue"))
    assert [row[1] for row in queue(calls)] == ["LP002"]
    calls.execute(CRM.insert_sql(60, 5, 101))
    let_pauses_pass(calls)
    calls.execute("CALL lead_protection.run_protection_pipeline()")
    assert (queue(calls), idle_days(calls, 60), events(calls)) == ([], 2, [])


# --- what cannot be seen is not gone ---


def test_rows_that_are_hidden_are_not_taken_for_deleted(crm):
    """As the owner of the schema an ordinary role, from whom row level security hides all."""
    crm.execute("CREATE ROLE test_lp_owner")
    try:
        crm.execute("GRANT USAGE ON SCHEMA crm TO test_lp_owner; GRANT SELECT, TRIGGER ON crm.leads TO test_lp_owner")
        crm.execute("ALTER SCHEMA lead_protection OWNER TO test_lp_owner")
        for kind, name in crm.execute("""
            SELECT CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, oid::regprocedure::text
            FROM pg_proc WHERE pronamespace = 'lead_protection'::regnamespace
            UNION ALL SELECT 'TABLE', oid::regclass::text FROM pg_class
            WHERE relnamespace = 'lead_protection'::regnamespace AND relkind IN ('r', 'v')
        """).fetchall():
            crm.execute(f"ALTER {kind} {name} OWNER TO test_lp_owner")
        crm.execute("ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY")
        error = sqlstate(crm, "UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
        assert error.sqlstate == "LP054"
        assert "CREATE POLICY" in error.diag.message_hint
        run_the_night(crm)
        assert crm.execute("SELECT count(*) FROM lead_protection.leads WHERE closed_at IS NOT NULL").fetchone() == (0,)
        (finding,) = crm.execute("SELECT finding FROM lead_protection.find_adoption_drift()").fetchone()
        assert "row level security" in finding
        crm.execute(error.diag.message_hint.rstrip("."))
        crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
        assert lead(crm, 1)[0] == 108
    finally:
        crm.execute("REASSIGN OWNED BY test_lp_owner TO postgres; DROP OWNED BY test_lp_owner; DROP ROLE test_lp_owner")


def test_many_rows_that_are_gone_at_once_wait_for_somebody_to_look(db):
    db.execute(CRM.ddl)
    db.execute("INSERT INTO crm.leads (id, owner_id) SELECT n, 101 FROM generate_series(1, 150) AS n")
    db.execute(CRM.adopt_sql())
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("SET session_replication_role = replica; DELETE FROM crm.leads; RESET session_replication_role")
    run_the_night(db)
    assert db.execute("SELECT count(*) FROM lead_protection.leads WHERE closed_at IS NOT NULL").fetchone() == (0,)
    assert db.execute("SELECT lead_protection.queue_adoption_drift(1000)").fetchone() == (150,)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert_in_step(db, "crm")


def test_a_view_in_the_place_of_the_table_is_never_read(crm):
    crm.execute("ALTER TABLE crm.leads RENAME TO leads_")
    crm.execute("CREATE FUNCTION crm.evil() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RAISE division_by_zero; END'")
    crm.execute(
        "CREATE VIEW crm.leads AS SELECT id, crm.evil() AS owner_id, created_at, status, deleted_at FROM crm.leads_"
    )
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("UPDATE crm.leads_ SET owner_id = 108 WHERE id = 1")
    assert lead(crm, 1)[0] == 108


def test_missing_and_disabled_triggers_are_told(crm):
    crm.execute("ALTER TABLE crm.leads DISABLE TRIGGER lead_protection_update")
    finding = "SELECT finding FROM lead_protection.find_adoption_drift()"
    assert crm.execute(finding).fetchall() == [("a trigger is missing or disabled",)]
    crm.execute("ALTER TABLE crm.leads ENABLE ALWAYS TRIGGER lead_protection_update")
    assert crm.execute(finding).fetchall() == []
    crm.execute("DROP TRIGGER lead_protection_delete ON crm.leads")
    assert crm.execute(finding).fetchall() == [("a trigger is missing or disabled",)]
    crm.execute(CRM.adopt_sql())
    assert crm.execute(finding).fetchall() == []


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


def test_one_row_in_a_thousand_costs_few_attempts(db):
    """Halves, not row by row: how often rows were tried is seen in the numbers that the sequence of users used up."""
    db.execute(LEGACY.ddl)
    db.execute(LEGACY.adopt_sql(on_failure="queue"))
    db.execute("CREATE TABLE public.tried (at timestamptz DEFAULT clock_timestamp())")
    db.execute("CREATE SEQUENCE public.attempts")
    db.execute("""
        CREATE FUNCTION public.count_attempt() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM nextval('public.attempts'); RETURN NULL; END$$;
        CREATE TRIGGER count_attempt AFTER INSERT ON lead_protection.leads
        FOR EACH STATEMENT EXECUTE FUNCTION public.count_attempt()
    """)
    db.execute(
        "INSERT INTO legacy.kunden (nr, vertreter, angelegt)"
        " SELECT n, nullif('v', repeat('v', (n = 777)::integer)), '2026-05-01' FROM generate_series(1, 1024) AS n"
    )
    assert queue(db) == [("777", "LP049")]
    assert db.execute("SELECT last_value FROM public.attempts").fetchone()[0] <= 11


def test_a_row_that_stays_unfit_is_tried_ever_more_rarely(db):
    db.execute(CRM.ddl)
    db.execute(CRM.adopt_sql(on_failure="queue"))
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (1, NULL)")
    db.execute("UPDATE lead_protection.adoption_queue SET attempts = 6, tried_at = now() - INTERVAL '31 minutes'")
    assert db.execute("SELECT lead_protection.retry_adoption_queue()").fetchone() == (0,)
    db.execute("UPDATE lead_protection.adoption_queue SET tried_at = now() - INTERVAL '33 minutes'")
    assert db.execute("SELECT lead_protection.retry_adoption_queue()").fetchone() == (1,)


# --- both sides change a lead ---


def test_closed_here_and_another_owner_there_is_no_drift(crm):
    crm.execute("SELECT lead_protection.close_lead(1, 101, 'CONVERTED', 'x', 1)")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    crm.execute("SELECT lead_protection.reopen_lead(1, 101, 'x', 1)")
    run_the_night(crm)
    assert lead(crm, 1)[0] == 108


def test_a_start_is_followed_though_it_was_moved_or_clamped_here(crm):
    crm.execute("SELECT lead_protection.backdate_lead(1, 101, now() - INTERVAL '50 days', 'x', 'letter', 1)")
    crm.execute("UPDATE crm.leads SET created_at = now() - INTERVAL '60 days' WHERE id = 1")
    crm.execute("INSERT INTO crm.leads (id, owner_id, created_at) VALUES (9, 101, now() + INTERVAL '3 minutes')")
    crm.execute("UPDATE crm.leads SET created_at = now() - INTERVAL '60 days' WHERE id = 9")
    starts = "SELECT DISTINCT extract(day FROM now() - created_at)::int FROM lead_protection.leads WHERE id IN (1, 9)"
    assert crm.execute(starts).fetchall() == [(60,)]


def test_a_lead_that_was_closed_otherwise_before_is_another_one(db):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at) SELECT id, owner_id, created_at FROM crm.leads"
    )
    db.execute("SELECT lead_protection.close_lead(1, 101, 'LOST', 'x', 1)")
    db.execute("UPDATE crm.leads SET status = 'won'")
    db.execute(CRM.adopt_sql())
    assert queue(db) == [("1", "LP046")]


def test_a_renamed_table_adopted_again_keeps_its_transferred_leads(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("ALTER TABLE crm.leads RENAME TO deals")
    crm.execute("UPDATE crm.deals SET owner_id = 109 WHERE id = 1")
    crm.execute(CRM.adopt_sql(source="crm.deals"))
    assert queue(crm) == []
    assert lead(crm, 1)[0] == 109
    crm.execute("CALL lead_protection.disown_source('crm.deals')")
    assert crm.execute("SELECT * FROM lead_protection.adopted_tables()").fetchall() == []


def test_a_closed_lead_may_lose_its_owner(crm):
    crm.execute("UPDATE crm.leads SET status = 'lost', owner_id = NULL WHERE id = 1")
    crm.execute("UPDATE crm.leads SET owner_id = NULL, deleted_at = now() WHERE id = 2")
    crm.execute("INSERT INTO crm.leads (id, owner_id, status) VALUES (9, NULL, 'lost')")
    assert [lead(crm, n) and lead(crm, n)[3] for n in (1, 2, 9)] == ["LOST", "DELETED", None]
    assert crm.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert sqlstate(crm, "UPDATE crm.leads SET status = 'new' WHERE id = 1").sqlstate == "LP049"


def test_users_must_be_named_alike_in_all_tables(calls):
    calls.execute("CALL lead_protection.disown_source('crm.calls')")
    calls.execute("ALTER TABLE crm.calls ALTER COLUMN caller TYPE text")
    error = sqlstate(calls, ADOPT_CALLS.format("block"))
    assert error.sqlstate == "LP045"
    assert "users are names there, and numbers in the adopted table" in error.diag.message_detail
    calls.execute("CREATE TABLE crm.p (lead_id bigint, start_at timestamptz, end_at timestamptz, who text)")
    importing = "SELECT * FROM lead_protection.import_holds('crm.p', 1, user_column => 'who', reason => 'NULL')"
    assert sqlstate(calls, importing).sqlstate == "LP045"


def test_numbers_for_names_are_none_that_are_in_use(db):
    db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (900, 4711)")
    fill(db, LEGACY, rows=3)
    db.execute(LEGACY.adopt_sql())
    assert db.execute("SELECT min(user_id) FROM lead_protection.adopted_users").fetchone() == (4712,)


def test_imported_again_after_the_hold_was_voided_or_the_lead_changed_hands(db):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 200, 101))
    db.execute(CRM.adopt_sql())
    db.execute("""
        CREATE TABLE crm.pauses (lead_id bigint, start_at timestamptz, end_at timestamptz);
        INSERT INTO crm.pauses VALUES (1, now() - INTERVAL '90 days', now() - INTERVAL '80 days'),
            (1, now() - INTERVAL '20 days', NULL);
    """)
    holds = "SELECT outcome, why FROM lead_protection.import_holds('crm.pauses', 1, reason => 'NULL')"
    assert [row[0] for row in db.execute(holds)] == ["imported", "imported"]
    db.execute(
        "SELECT lead_protection.void_lead_hold(id, version, 'x', 1)"
        " FROM lead_protection.lead_holds WHERE end_at IS NULL"
    )
    assert [row[0] for row in db.execute(holds)] == ["duplicate", "duplicate"]
    db.execute("SELECT lead_protection.transfer_lead(1, 101, 108, 'x', 1)")
    assert {row[0] for row in db.execute(holds)} == {"refused"}
    assert db.execute("SELECT count(*) FROM lead_protection.lead_holds").fetchone() == (2,)


def test_conditions_do_not_depend_on_the_session(db):
    db.execute(CRM.ddl)
    db.execute("ALTER TABLE crm.leads ADD COLUMN due date DEFAULT '2026-03-29'")
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(CRM.adopt_sql(deleted_when="due::timestamptz < '2026-03-28 20:00+00'"))
    db.execute("SET timezone = 'Asia/Tokyo'")
    db.execute("UPDATE crm.leads SET note = 'x'")
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert lead(db, 1)[2:] == (False, None)


@pytest.mark.parametrize(
    "condition", ["tableoid IS NULL", "max(status) = 'x'", "generate_series(1, 2) = 1", "s.ctid IS NULL", "true) OR (1"]
)
def test_conditions_that_are_none_on_one_row_are_refused(db, condition):
    db.execute(CRM.ddl)
    assert sqlstate(db, CRM.adopt_sql(lost_when=condition)).sqlstate == "LP045"
