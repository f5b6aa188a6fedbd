"""Sealing: what is new, what is not yet, and where the root goes."""

from hashlib import sha256

import psycopg
import pytest

from helpers.facts import insert_leads_of_age
from helpers.jobs import call_pipeline
from helpers.log_form import problems_of_log
from helpers.seals import checkpoint, export, live, problems, seal, sealed_rows, verified
from lead_protection import verify

NEW = "INSERT INTO lead_protection.leads (id, user_id) VALUES (%s, 7)"


def logged_rows(db) -> list[tuple[int, int]]:
    return db.execute("SELECT lead_id, log_number FROM lead_protection.protection_log ORDER BY 1, 2").fetchall()


def test_the_pipeline_seals_what_is_new_and_nothing_twice(db):
    assert seal(db) == 0
    assert db.execute("SELECT count(*) FROM lead_protection.log_seals").fetchone() == (0,)
    db.execute(NEW, (1,))
    db.execute(NEW, (2,))
    call_pipeline(db)
    assert sealed_rows(db) == [(1, 1), (2, 1)] == logged_rows(db)
    call_pipeline(db)
    assert db.execute("SELECT number, tree_size FROM lead_protection.log_seals").fetchall() == [(1, 2)]
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 5)")
    call_pipeline(db)
    assert db.execute("SELECT number, tree_size FROM lead_protection.log_seals ORDER BY 1").fetchall() == [
        (1, 2),
        (2, 3),
    ]
    result = "SELECT result ->> 'log_sealed' FROM lead_protection.job_runs ORDER BY id"
    assert db.execute(result).fetchall() == [("2",), ("0",), ("1",)]


def test_seals_are_a_chain_of_checkpoints(db):
    for lead_id in (1, 2):
        db.execute(NEW, (lead_id,))
        seal(db)
    first, second = checkpoint(db, 1), checkpoint(db)
    (one,), (two,) = verify.seals_in(first), verify.seals_in(second)
    assert one.previous == "00" * 32 and two.previous == sha256(first.encode()).hexdigest()
    assert verify.CHECKPOINT.format(*two) == second == checkpoint(db, 2)
    (row,) = db.execute("SELECT seal, tree_size, root FROM lead_protection.v_kpi_seals").fetchall()
    assert row == (2, 2, two.root)


def test_there_is_no_such_seal(db):
    for number in (None, 1):
        with pytest.raises(psycopg.Error) as refused:
            checkpoint(db, number)
        assert refused.value.sqlstate == "LP115" and refused.value.diag.message_hint
        assert "none" in refused.value.diag.message_detail


def test_a_transaction_that_commits_late_is_not_passed_over(two):
    """Rows that were written after the late one, and are there, wait with it: none is sealed before the other."""
    late, db = two
    late.execute(NEW, (1,))
    db.execute(NEW, (2,))
    db.execute(NEW, (3,))
    assert logged_rows(db) == [(2, 1), (3, 1)]
    assert seal(db) == 0
    ((since,),) = db.execute("SELECT unsealed_since IS NOT NULL FROM lead_protection.v_kpi_seals")
    assert since
    late.commit()
    assert seal(db) == 3
    assert sealed_rows(db) == [(1, 1), (2, 1), (3, 1)]
    assert seal(db) == 0
    assert db.execute("SELECT unsealed_since FROM lead_protection.v_kpi_seals").fetchone() == (None,)


def test_rows_of_a_lead_are_sealed_in_their_order_whatever_the_numbers_of_their_transactions(two, connect):
    """The later row is of the older transaction, and one that goes on lies between the two."""
    older, db = two
    db.execute(NEW, (1,))
    assert seal(db) == 1
    older.execute("SELECT pg_current_xact_id()")
    between = connect(autocommit=False)
    between.execute("SELECT pg_current_xact_id()")
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 5)")
    older.execute("SELECT lead_protection.release_lead_hold(1, 7, 5)")
    older.commit()
    assert seal(db) == 2
    between.commit()
    assert seal(db) == 0 and sealed_rows(db) == [(1, 1), (1, 2), (1, 3)]
    assert problems_of_log(db) == []


def test_what_was_committed_before_a_transaction_began_does_not_wait_for_it(two):
    late, db = two
    db.execute(NEW, (1,))
    late.execute(NEW, (2,))
    db.execute(NEW, (3,))
    assert seal(db) == 1
    # In parts: a transaction within the late one, undone and not.
    late.execute("SAVEPOINT a")
    late.execute(NEW, (4,))
    late.execute("ROLLBACK TO a")
    late.execute(NEW, (5,))
    late.commit()
    assert seal(db) == 3
    assert sealed_rows(db) == [(1, 1), (2, 1), (3, 1), (5, 1)]


def test_a_transaction_that_is_rolled_back_leaves_nothing(two):
    late, db = two
    late.execute(NEW, (1,))
    db.execute(NEW, (2,))
    assert seal(db) == 0
    late.rollback()
    assert seal(db) == 1
    assert db.execute("SELECT leaf, lead_id FROM lead_protection.log_leaves").fetchall() == [(0, 2)]
    assert problems(verified(export(db), checkpoint(db))) == []


def test_a_reader_holds_nothing_up(connect, db):
    reader = connect(autocommit=False)
    reader.execute("SELECT count(*) FROM lead_protection.protection_log")
    db.execute(NEW, (1,))
    assert seal(db) == 1


def test_one_at_a_time(two):
    first, second = two
    first.execute(NEW, (1,))
    first.commit()
    assert seal(first) == 1
    second.execute("SET lock_timeout = '100ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        seal(second)
    # Whoever writes the log does not wait.
    second.execute(NEW, (2,))
    first.commit()
    assert seal(second) == 1


def test_on_another_server_the_whole_log_is_compared(db):
    """As after a restore from a dump: the numbers of transactions begin anew, and may be those of sealed rows."""
    insert = "SELECT lead_protection.create_lead_hold(%s, 7, 'x', 5)"
    insert_leads_of_age(db, 10, 10, 10)
    for lead_id in (1, 2, 3):
        db.execute(insert, (lead_id,))
    assert seal(db) == 3
    live(db, [1, 2, 3], seed=1, steps=9)
    waiting = len(logged_rows(db)) - 3
    db.execute("SET session_replication_role = replica")
    db.execute("UPDATE lead_protection.log_seals SET system_identifier = 1, horizon = '9000000000'")
    db.execute("UPDATE lead_protection.protection_log SET transaction_id = '8000000000' WHERE log_number > 1")
    db.execute("RESET session_replication_role")
    assert seal(db) == waiting > 0
    assert seal(db) == 0
    live(db, [1, 2, 3], seed=2, steps=9)
    assert seal(db) > 0
    assert sealed_rows(db) == logged_rows(db)
    assert problems(verified(export(db), checkpoint(db))) == []


def test_the_root_leaves_the_database(db):
    """As an event, for each consumer that takes it, in order; as a metric; and as a line in the server's log."""
    db.execute("SELECT lead_protection.register_event_consumer('witness', types => '{log.sealed}')")
    db.execute("SELECT lead_protection.register_event_consumer('other', types => '{lead.created}')")
    said: list[tuple] = []
    db.add_notice_handler(lambda notice: said.append((notice.severity_nonlocalized, notice.message_primary)))
    db.execute("SET client_min_messages = log")
    for lead_id in (1, 2):
        db.execute(NEW, (lead_id,))
        seal(db)
    db.execute("RESET client_min_messages")
    seals = [verify.seals_in(checkpoint(db, number))[0] for number in (1, 2)]
    assert [text for severity, text in said if severity == "LOG"] == [
        f"lead-protection seal {s.number}: tree_size {s.tree_size}, root {s.root}, previous {s.previous}" for s in seals
    ]
    metrics = dict(db.execute("SELECT metric, value FROM lead_protection.v_metrics WHERE metric LIKE 'lead_log_%'"))
    assert metrics["lead_log_seal_number"] == 2 and metrics["lead_log_seal_rows"] == 2
    assert int(metrics["lead_log_seal_root"]) == int(seals[1].root[:12], 16)
    assert metrics["lead_log_unsealed_seconds"] == 0
    for s in seals:
        claim = "SELECT id, lease_token, type, payload FROM lead_protection.claim_events('witness')"
        ((event_id, lease_token, type, told),) = db.execute(claim).fetchall()
        assert (type, told.pop("occurred_at")) == ("log.sealed", s.sealed_at)
        assert told == {"seal": s.number, "tree_size": s.tree_size, "root": s.root, "previous": s.previous}
        db.execute(
            "SELECT lead_protection.acknowledge_events('witness', %s, ARRAY[%s]::uuid[])", (lease_token, event_id)
        )
    counted = "SELECT count(*) FROM lead_protection.event_deliveries WHERE consumer_name = 'other'"
    assert db.execute(counted).fetchone() == (2,)


@pytest.mark.parametrize("table", ["log_leaves", "log_nodes", "log_seals"])
def test_what_was_sealed_is_not_changed(db, table):
    db.execute(NEW, (1,))
    seal(db)
    column = {"log_leaves": "leaf", "log_nodes": "position", "log_seals": "number"}[table]
    for statement in (f"UPDATE {{}} SET {column} = 7", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(psycopg.Error) as refused:
            db.execute(statement.format(f"lead_protection.{table}"))
        assert refused.value.sqlstate == "LP012"


def test_a_statement_names_the_seal(db):
    insert_leads_of_age(db, 10)
    page = "SELECT lead_protection.protection_statement(1, language => %s)"
    assert "The log of this lead is not sealed yet." in db.execute(page, ("en",)).fetchone()[0]
    live(db, [1], seed=3, steps=9)
    seal(db)
    (sealed,) = verify.seals_in(checkpoint(db))
    text = db.execute(page, ("en",)).fetchone()[0]
    assert f"up to row {sealed.tree_size} is under seal 1 of" in text and sealed.root in text
    # A later seal is no other fact: the checksum stays.
    db.execute("SELECT set_config('test.at', clock_timestamp()::text, false)")
    dated = "SELECT lead_protection.protection_statement(1, current_setting('test.at')::timestamptz, 'de')"
    before = db.execute(dated).fetchone()[0]
    db.execute(NEW, (2,))
    seal(db)
    after = db.execute(dated).fetchone()[0]
    assert "unter Siegel 1 vom" in before and "unter Siegel 2 vom" in after
    assert before.split("SHA-256")[1] == after.split("SHA-256")[1]
