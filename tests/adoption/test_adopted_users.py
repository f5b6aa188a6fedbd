"""Users that a company calls by names get numbers, alike in all tables."""

import pytest

from helpers.adoption_calls import ADOPT_CALLS, lead_here, sqlstate
from helpers.sources import LEGACY, fill

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

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
    assert lead_here(db, 1)[0] == numbers["Müller"] != numbers["müller"]
    assert db.execute("SELECT on_hold FROM lead_protection.v_user_lead_protection WHERE lead_id = 1").fetchone() == (
        True,
    )
    db.execute("UPDATE legacy.kunden SET vertreter = 'Müller' WHERE nr = 2")
    assert lead_here(db, 2)[0] == numbers["Müller"]
    db.execute("UPDATE legacy.kunden SET vertreter = '  ' WHERE nr = 2")
    assert lead_here(db, 2)[0] is None, "a blank name is nobody's"


def test_users_must_be_named_alike_in_all_tables(calls):
    calls.execute("CALL lead_protection.disown_source('crm.calls')")
    calls.execute("ALTER TABLE crm.calls ALTER COLUMN caller TYPE text")
    error = sqlstate(calls, ADOPT_CALLS)
    assert error.sqlstate == "LP045"
    assert "users are names there, and numbers in the adopted table" in str(error.diag.message_detail)
    calls.execute("CREATE TABLE crm.p (lead_id bigint, start_at timestamptz, end_at timestamptz, who text)")
    importing = "SELECT * FROM lead_protection.import_holds('crm.p', 1, user_column => 'who', reason => 'NULL')"
    assert sqlstate(calls, importing).sqlstate == "LP045"


def test_numbers_for_names_are_none_that_are_in_use(db):
    db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (900, 4711)")
    fill(db, LEGACY, rows=3)
    db.execute(LEGACY.adopt_sql())
    assert db.execute("SELECT min(user_id) FROM lead_protection.adopted_users").fetchone() == (4712,)
