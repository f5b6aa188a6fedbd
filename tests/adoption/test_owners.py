"""Whose a lead is: given back, taken from the pool, reassigned to and fro, in a table of owners, by conditions."""

import pytest

from helpers.adoption_calls import lead_here, news
from helpers.facts import states
from helpers.sources import follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

TABLE = """
CREATE SCHEMA crm;
CREATE TABLE crm.l (id int PRIMARY KEY, user_id int, created_at timestamptz NOT NULL, won bool DEFAULT false);
"""


@pytest.fixture
def pool(db):
    """The issue's table, adopted and switched on, empty."""
    db.execute(TABLE)
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, converted_when => 'won')")
    db.execute("CALL lead_protection.switch_on_adoption()")
    return db


def protection(db, lead_id):
    """State, user and how many days ago the protection began, once what was written was followed."""
    follow(db)
    return db.execute(
        "SELECT state, user_id, extract(day FROM now() - created_at)::int"
        " FROM lead_protection.v_user_lead_protection WHERE lead_id = %s",
        (lead_id,),
    ).fetchone()


def test_a_lead_that_is_given_back_is_nobodys_and_nobody_is_told(pool):
    """A of the issue: came a reminder to user 7."""
    pool.execute("INSERT INTO crm.l VALUES (1, 7, now() - INTERVAL '6 months 63 days')")
    pool.execute("UPDATE crm.l SET user_id = NULL WHERE id = 1")
    pool.execute("CALL lead_protection.run_protection_pipeline()")
    assert protection(pool, 1)[:2] == ("FREE", None)
    assert news(pool) == ["lead.protection.given_back"]
    assert pool.execute("SELECT user_id FROM crm.l").fetchone() == (None,)


def test_a_lead_from_the_pool_is_protected_from_its_assignment_on(pool):
    """B of the issue: came EXPIRED at once, and an expiry event."""
    pool.execute("INSERT INTO crm.l VALUES (2, NULL, now() - INTERVAL '10 months')")
    pool.execute("UPDATE crm.l SET user_id = 8 WHERE id = 2")
    pool.execute("CALL lead_protection.run_protection_pipeline()")
    assert protection(pool, 2) == ("PROTECTED", 8, 0)
    assert news(pool) == ["lead.protection.transferred"]
    noted = "SELECT min(occurred_at) < now() - INTERVAL '1 millisecond' FROM lead_protection.protection_log"
    assert pool.execute(noted).fetchone() == (True,)


def test_a_lead_of_the_pool_that_was_there_before_begins_with_its_assignment_too(db):
    db.execute(TABLE)
    db.execute("INSERT INTO crm.l SELECT n, NULL, now() - INTERVAL '10 months' FROM generate_series(1, 3) AS n")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900)")
    db.execute("UPDATE crm.l SET user_id = 8 WHERE id = 1")
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("UPDATE crm.l SET user_id = 8 WHERE id = 2")
    assert [protection(db, n) for n in (1, 2, 3)] == [("PROTECTED", 8, 0)] * 2 + [("FREE", None, 304)]


def test_a_row_that_is_assigned_before_the_backfill_comes_to_it_was_the_pools(db):
    """What was noted says whose it was before."""
    db.execute(TABLE)
    db.execute("INSERT INTO crm.l SELECT n, NULL, now() - INTERVAL '10 months' FROM generate_series(1, 3) AS n")
    db.execute(
        "SELECT lead_protection.put_adoption('leads', 'crm.l', $${"
        '"id_column": "id", "user_column": "user_id", "start_column": "created_at"}$$, NULL, 900, NULL)'
    )
    db.execute("CALL lead_protection.change_adoption_triggers(1, true)")
    db.execute("UPDATE crm.l SET user_id = 8 WHERE id = 2")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900)")
    assert protection(db, 2) == ("PROTECTED", 8, 0)


def test_web_leads_without_an_owner_never_fail(pool):
    pool.execute("INSERT INTO crm.l VALUES (1, NULL, now())")
    pool.execute("CREATE TABLE crm.users (id int PRIMARY KEY); INSERT INTO crm.users VALUES (7)")
    pool.execute("ALTER TABLE crm.l ADD FOREIGN KEY (user_id) REFERENCES crm.users (id) ON DELETE SET NULL")
    pool.execute("INSERT INTO crm.l VALUES (2, 7, now() - INTERVAL '5 days')")
    assert protection(pool, 2) == ("PROTECTED", 7, 5)
    pool.execute("DELETE FROM crm.users")
    assert [protection(pool, n)[0] for n in (1, 2)] == ["FREE", "FREE"]


def test_given_back_and_taken_again_by_the_same_user_is_a_new_protection(pool):
    pool.execute("INSERT INTO crm.l VALUES (1, 7, now() - INTERVAL '100 days')")
    pool.execute("UPDATE crm.l SET user_id = NULL")
    pool.execute("UPDATE crm.l SET user_id = 7")
    assert protection(pool, 1) == ("PROTECTED", 7, 0)
    assert news(pool) == ["lead.protection.given_back", "lead.protection.transferred"]


def test_reassigned_and_set_back_in_one_transaction_is_no_change(pool):
    """F of the issue: it restarted the protection."""
    pool.execute("INSERT INTO crm.l VALUES (1, 7, now() - INTERVAL '100 days')")
    follow(pool)
    with pool.transaction():
        pool.execute("UPDATE crm.l SET user_id = 8")
        pool.execute("UPDATE crm.l SET user_id = 7")
    assert protection(pool, 1) == ("PROTECTED", 7, 100)
    assert news(pool) == []


def test_reassigned_and_set_back_in_two_transactions_are_two_changes_each_at_its_instant(pool):
    pool.execute("INSERT INTO crm.l VALUES (1, 7, now() - INTERVAL '100 days')")
    pool.execute("UPDATE crm.l SET user_id = 8")
    pool.execute("UPDATE crm.l SET user_id = 7")
    noted = [row[0] for row in pool.execute("SELECT noted_at FROM lead_protection.adoption_notes ORDER BY noted_at")]
    assert protection(pool, 1) == ("PROTECTED", 7, 0)
    told = pool.execute("SELECT user_id, occurred_at FROM lead_protection.protection_log ORDER BY occurred_at")
    assert told.fetchall() == [(8, noted[1]), (7, noted[2])]
    starts = pool.execute("SELECT created_at FROM lead_protection.leads").fetchone()[0]
    assert starts == noted[2]
    past = "SELECT user_id FROM lead_protection.protection_as_of(%s) WHERE lead_id = 1"
    assert pool.execute(past, (noted[1],)).fetchone() == (8,)


def test_closed_rows_without_an_owner_are_free_closed_leads(db):
    """F of the issue: they were neither taken nor queued, but counted as taken."""
    db.execute(TABLE)
    db.execute("INSERT INTO crm.l VALUES (1, NULL, now() - INTERVAL '9 days', true)")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, converted_when => 'won')")
    assert lead_here(db, 1)[::2] == (None, True)
    assert list(states(db).values()) == ["CLOSED"]


def test_the_start_column_may_hold_the_assignment(db):
    db.execute(TABLE)
    db.execute("INSERT INTO crm.l VALUES (1, NULL, now() - INTERVAL '10 months'), (2, 7, now() - INTERVAL '3 months')")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, start_is_assignment => true)")
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute("UPDATE crm.l SET user_id = 8, created_at = now() - INTERVAL '2 days'")
    assert [protection(db, n) for n in (1, 2)] == [("PROTECTED", 8, 2)] * 2
    # A correction of the assignment counts, though the protection began with a transfer.
    db.execute("UPDATE crm.l SET created_at = now() - INTERVAL '4 days' WHERE id = 1")
    assert protection(db, 1) == ("PROTECTED", 8, 4)


@pytest.mark.parametrize(
    ("ddl", "nobody", "condition"),
    [
        ("user_id int NOT NULL DEFAULT 0", 0, "user_id = 0"),
        ("user_id text NOT NULL DEFAULT ''", "''", None),
        ("user_id text NOT NULL DEFAULT '-'", "'-'", "user_id = '-'"),
    ],
)
def test_nobody_may_have_a_name(db, ddl, nobody, condition):
    db.execute(f"CREATE SCHEMA crm; CREATE TABLE crm.l (id int PRIMARY KEY, {ddl}, created_at timestamptz NOT NULL)")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, nobody_when => %s::text)", (condition,))
    db.execute("CALL lead_protection.switch_on_adoption()")
    db.execute(f"INSERT INTO crm.l VALUES (1, {nobody}, now() - INTERVAL '90 days')")
    # All before the worker comes: nobody in between is nobody, too.
    for user in ("7", nobody, "7"):
        db.execute(f"UPDATE crm.l SET user_id = {user if user == nobody else repr(user)}")
    assert protection(db, 1)[::2] == ("PROTECTED", 0)
    assert news(db) == ["lead.protection.given_back"] + ["lead.protection.transferred"] * 2


def test_an_archived_user_is_nobody(db):
    db.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.l (id int PRIMARY KEY, user_id int, created_at timestamptz,"
        " archived bool NOT NULL DEFAULT false)"
    )
    db.execute("INSERT INTO crm.l VALUES (1, 7, now() - INTERVAL '9 days')")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, nobody_when => 'archived')")
    db.execute("UPDATE crm.l SET archived = true")
    assert protection(db, 1)[:2] == ("FREE", None)


def test_owners_in_a_table_of_their_own(db):
    db.execute("""
        CREATE SCHEMA crm;
        CREATE TABLE crm.l (id int PRIMARY KEY, created_at timestamptz NOT NULL);
        CREATE TABLE crm.owners (lead int PRIMARY KEY, rep text, gone bool NOT NULL DEFAULT false);
        INSERT INTO crm.l SELECT n, now() - INTERVAL '50 days' FROM generate_series(1, 3) AS n;
        INSERT INTO crm.owners VALUES (1, 'ann'), (2, 'bob');
    """)
    db.execute(
        "CALL lead_protection.adopt_leads('crm.l', 900, owner_source => 'crm.owners', owner_lead_column => 'lead',"
        " owner_user_column => 'rep', nobody_when => 'gone')"
    )
    db.execute("CALL lead_protection.switch_on_adoption()")
    names = dict(db.execute("SELECT user_key, user_id FROM lead_protection.adopted_users").fetchall())
    assert [protection(db, n) for n in (1, 2, 3)] == [
        ("PROTECTED", names["ann"], 50),
        ("PROTECTED", names["bob"], 50),
        ("FREE", None, 50),
    ]
    db.execute("UPDATE crm.owners SET rep = 'bob' WHERE lead = 1")
    db.execute("DELETE FROM crm.owners WHERE lead = 2")
    db.execute("INSERT INTO crm.owners VALUES (3, 'ann')")
    assert [protection(db, n) for n in (1, 2, 3)] == [
        ("PROTECTED", names["bob"], 0),
        ("FREE", None, 0),
        ("PROTECTED", names["ann"], 0),
    ]
    db.execute("UPDATE crm.owners SET gone = true WHERE lead = 3")
    assert protection(db, 3)[0] == "FREE"
    # A lead and its owner in one transaction: it is the owner's from its start on.
    with db.transaction():
        db.execute("INSERT INTO crm.l VALUES (4, now() - INTERVAL '5 days')")
        db.execute("INSERT INTO crm.owners VALUES (4, 'ann')")
    assert protection(db, 4) == ("PROTECTED", names["ann"], 5)
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    db.execute("CALL lead_protection.disown_source('crm.l')")
    assert db.execute("SELECT * FROM lead_protection.adopted_tables()").fetchall() == []
