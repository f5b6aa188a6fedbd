"""Rows that cannot be followed: they fail, or wait in the queue until they can be."""

import pytest

from helpers.adoption_calls import lead_here, let_pauses_pass, queue, sqlstate
from helpers.sources import CRM, LEGACY, assert_in_step

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
    db.execute(CRM.adopt_sql())
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
    assert lead_here(db, number)[0] == 105
    assert_in_step(db, "crm")


def test_one_bad_row_among_many_keeps_only_itself_back(db):
    db.execute(CRM.ddl)
    db.execute(CRM.adopt_sql())
    db.execute("INSERT INTO crm.leads (id, owner_id) SELECT n, nullif(n, 7) FROM generate_series(1, 20) AS n")
    assert queue(db) == [("7", "LP049")]
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (19,)


def test_the_pipeline_follows_what_can_be_followed_by_now(db):
    """The cause is gone without the row being touched: here a policy that was missing."""
    db.execute(CRM.ddl)
    db.execute(CRM.adopt_sql())
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
    db.execute(CRM.adopt_sql())
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


def test_one_row_in_a_thousand_costs_few_attempts(db):
    """Halves, not row by row: how often rows were tried is seen in the numbers that the sequence of users used up."""
    db.execute(LEGACY.ddl)
    db.execute(LEGACY.adopt_sql())
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
    db.execute(CRM.adopt_sql())
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("INSERT INTO crm.leads (id, owner_id) VALUES (1, NULL)")
    db.execute("UPDATE lead_protection.adoption_queue SET attempts = 6, tried_at = now() - INTERVAL '31 minutes'")
    assert db.execute("SELECT lead_protection.retry_adoption_queue()").fetchone() == (0,)
    db.execute("UPDATE lead_protection.adoption_queue SET tried_at = now() - INTERVAL '33 minutes'")
    assert db.execute("SELECT lead_protection.retry_adoption_queue()").fetchone() == (1,)
