"""Rows that cannot be followed wait until they can be, or until they are set aside; the company's writes never fail."""

import pytest

from helpers.adoption_calls import lead_here, let_pauses_pass, news, queue, sqlstate
from helpers.sources import CRM, LEGACY, assert_in_step, follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

BAD_ROWS = [
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, NULL)", "LP049"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, now() + INTERVAL '1 hour')", "LP010"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, '1850-01-01')", "LP005"),
    ("INSERT INTO {} (id, owner_id, created_at) VALUES (9, 101, '-infinity')", "LP005"),
    ("UPDATE {} SET created_at = now() + INTERVAL '1 hour' WHERE id = 1", "LP010"),
    ("UPDATE {} SET created_at = NULL WHERE id = 1", "LP049"),
]


@pytest.mark.parametrize(("statement", "code"), BAD_ROWS)
def test_a_row_that_cannot_be_followed_says_why_it_waits(crm, statement, code):
    crm.execute(statement.format("crm.leads"))
    ((key, why),) = queue(crm)
    assert why == code
    assert [row[3] for row in crm.execute("SELECT * FROM lead_protection.find_adoption_drift()")] == [key]

    attempts = "SELECT attempts FROM lead_protection.adoption_queue"
    crm.execute("CALL lead_protection.run_protection_pipeline()")
    assert crm.execute(attempts).fetchone() == (1,), "not before its pause is over"
    let_pauses_pass(crm)
    crm.execute("CALL lead_protection.run_protection_pipeline()")
    assert crm.execute(attempts).fetchone() == (2,)
    # The company mends the row: in step again, and out of the queue.
    mend = "UPDATE crm.leads SET owner_id = 105, created_at = now() - INTERVAL '5 days' WHERE id = %s"
    crm.execute(mend, (int(key),))
    assert queue(crm) == []
    assert lead_here(crm, int(key))[0] == 105
    assert_in_step(crm, "crm")


def test_whoever_calls_for_a_lead_whose_row_cannot_be_followed_is_told_why(crm):
    crm.execute("UPDATE crm.leads SET created_at = NULL WHERE id = 1")
    call = "SELECT (lead_protection.create_lead_hold(1, 101, 'x', 1)).created"
    for _ in range(2):
        error = sqlstate(crm, call)
        assert error.sqlstate == "LP066"
        assert "LP049: row 1 of crm.leads has no instant" in str(error.diag.message_detail)
        follow(crm)
    crm.execute("SELECT lead_protection.create_lead_hold(2, 101, 'x', 1)")
    crm.execute("SELECT lead_protection.dismiss_adopted_row('leads', '1', 'typed wrong, see ticket 7', 900)")
    assert crm.execute(call).fetchone() == (True,)


def test_a_row_that_is_set_aside_stops_nobody_until_it_is_written_again(crm):
    crm.execute("UPDATE crm.leads SET created_at = NULL WHERE id = 1")
    dismiss = "SELECT lead_protection.dismiss_adopted_row(%s, '1', 'see ticket 7', 900)"
    assert sqlstate(crm, dismiss, ("leads",)).sqlstate == "LP067", "it was not tried yet"
    follow(crm)
    assert crm.execute(dismiss, ("crm.leads",)).fetchone() == (True,)
    assert crm.execute(dismiss, ("leads",)).fetchone() == (False,)
    assert news(crm) == ["lead.row.dismissed"]
    let_pauses_pass(crm)
    follow(crm)
    kept = crm.execute(
        "SELECT row_key, attempts, dismissed_by, dismissed_because, dismissed_at IS NOT NULL"
        " FROM lead_protection.adoption_queue"
    )
    assert kept.fetchall() == [("1", 1, 900, "see ticket 7", True)]
    waiting = crm.execute("SELECT waiting, dismissed FROM lead_protection.v_kpi_adoption").fetchone()
    assert waiting == (0, 1)
    crm.execute("UPDATE crm.leads SET owner_id = 108, created_at = now() - INTERVAL '3 days' WHERE id = 1")
    assert queue(crm) == []
    assert lead_here(crm, 1)[0] == 108


def test_only_what_waits_can_be_set_aside_and_with_a_reason(crm):
    dismiss = "SELECT lead_protection.dismiss_adopted_row(%s, %s, %s, %s)"
    for arguments, code in (
        ((None, "1", "x", 1), "LP001"),
        (("leads", "1", " ", 1), "LP004"),
        (("nothing", "1", "x", 1), "LP051"),
        (("leads", "1", "x", 1), "LP067"),
    ):
        assert sqlstate(crm, dismiss, arguments).sqlstate == code


def test_one_bad_row_among_many_keeps_only_itself_back(db):
    db.execute(CRM.ddl)
    db.execute(CRM.adopt_sql())
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at)"
        " SELECT n, n, nullif(now(), CASE n WHEN 7 THEN now() END) FROM generate_series(1, 20) AS n"
    )
    assert queue(db) == [("7", "LP049")]
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (19,)


def test_what_can_be_followed_by_now_is_followed(db):
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
    handled = (
        "SELECT result -> 'adopted_rows' FROM lead_protection.job_runs WHERE job_name = 'lead-protection-reminders'"
    )
    assert db.execute(handled).fetchone() == (1,)


def test_bad_rows_do_not_stop_the_backfill(db):
    db.execute(CRM.ddl)
    db.execute(
        "INSERT INTO crm.leads (id, owner_id, created_at) SELECT n, n,"
        " CASE n WHEN 7 THEN now() + INTERVAL '1 day' WHEN 9 THEN NULL ELSE now() END FROM generate_series(1, 60) AS n"
    )
    db.execute(CRM.adopt_sql())
    assert queue(db) == [("7", "LP010"), ("9", "LP049")]
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (58,)


@pytest.mark.parametrize(
    ("ddl", "write", "waiting"),
    [
        # Not even its keys and owners can be noted any more: the table as a whole must be looked at.
        ("DROP COLUMN owner_id", "UPDATE crm.leads SET status = 'won' WHERE id = 1", [("*", "LP054")]),
        ("RENAME COLUMN status TO stage", "INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)", [("9", "42703")]),
        ("RENAME COLUMN id TO nr", "UPDATE crm.leads SET status = 'won' WHERE nr = 1", [("*", "LP054")]),
    ],
)
def test_writes_go_through_whatever_became_of_the_columns(db, ddl, write, waiting):
    db.execute(CRM.ddl)
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(CRM.adopt_sql())
    db.execute(f"ALTER TABLE crm.leads {ddl}")
    db.execute(write)
    assert queue(db) == waiting
    let_pauses_pass(db)
    assert queue(db) == waiting
    (drift,) = db.execute("SELECT row_key, finding FROM lead_protection.find_adoption_drift()").fetchall()
    assert drift[0] is None and drift[1].startswith("the table cannot be read: ")
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    db.execute("CALL lead_protection.disown_source('crm.leads')")
    assert queue(db) == []


def test_a_column_that_is_back_is_followed_as_if_nothing_had_been(crm):
    crm.execute("ALTER TABLE crm.leads RENAME COLUMN owner_id TO rep")
    crm.execute("UPDATE crm.leads SET rep = 108 WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    assert queue(crm) == [("*", "LP054"), ("2", "42703")]
    crm.execute("SELECT lead_protection.record_lead_activity(3, 102, 'QUALIFIED_CALL', now(), 'a', 1)")
    crm.execute("ALTER TABLE crm.leads RENAME COLUMN rep TO owner_id")
    let_pauses_pass(crm)
    assert queue(crm) == []
    assert (lead_here(crm, 1)[0], lead_here(crm, 2)[3]) == (108, "DELETED")
    assert_in_step(crm, "crm")


def test_one_row_in_a_thousand_costs_few_attempts(db):
    """Halves, not row by row: how often rows were tried is seen in the numbers that a sequence used up."""
    db.execute(LEGACY.ddl)
    db.execute(LEGACY.adopt_sql())
    db.execute("CREATE SEQUENCE public.attempts")
    db.execute("""
        CREATE FUNCTION public.count_attempt() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM nextval('public.attempts'); RETURN NULL; END$$;
        CREATE TRIGGER count_attempt AFTER INSERT ON lead_protection.leads
        FOR EACH STATEMENT EXECUTE FUNCTION public.count_attempt()
    """)
    db.execute(
        "INSERT INTO legacy.kunden (nr, vertreter, angelegt)"
        " SELECT n, 'v', date '2026-05-01' + 1000 * (n = 777)::integer FROM generate_series(1, 1024) AS n"
    )
    db.execute("CALL lead_protection.follow_adopted_tables(1024)")
    assert queue(db) == [("777", "LP010")]
    assert db.execute("SELECT last_value FROM public.attempts").fetchone()[0] <= 11


def test_a_row_that_stays_unfit_is_tried_ever_more_rarely(crm):
    crm.execute("INSERT INTO crm.leads (id, owner_id, created_at) VALUES (9, 101, NULL)")
    follow(crm)
    crm.execute("UPDATE lead_protection.adoption_queue SET attempts = 6, tried_at = now() - INTERVAL '31 minutes'")
    assert crm.execute("SELECT lead_protection.follow_adoption_queue()").fetchone() == (0,)
    crm.execute("UPDATE lead_protection.adoption_queue SET tried_at = now() - INTERVAL '33 minutes'")
    assert crm.execute("SELECT lead_protection.follow_adoption_queue()").fetchone() == (1,)
