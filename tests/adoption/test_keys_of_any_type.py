"""Leads with keys of any type, from more than one table, each with a name; followed first by whoever asks."""

import uuid

import pytest

from helpers.adoption_calls import lead_here, news, queue, sqlstate
from helpers.sources import CRM, follow

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

KEYS = {
    "uuid": [str(uuid.UUID(int=n)) for n in (1, 2, 3)],
    "text": ["a b", "Ä'", "**"],
    "varchar(9)": ["x", "7", "x "],
    "char(6)": ["ab", "cd", "longer"],
    "smallint": ["1", "2", "3"],
    "bigint": ["5000000000", "2", "3"],
}


def table(db, key_type, name="crm.l"):
    """An adopted and switched on table whose key has this type, with the three keys above."""
    db.execute("CREATE SCHEMA IF NOT EXISTS crm; CREATE DOMAIN crm.key AS uuid")
    db.execute(f"CREATE TABLE {name} (id {key_type} PRIMARY KEY, user_id int, created_at timestamptz, won bool)")
    for key in KEYS.get(key_type, KEYS["uuid"]):
        db.execute(f"INSERT INTO {name} VALUES (%s, 7, now() - INTERVAL '10 days', false)", (key,))
    db.execute("CALL lead_protection.adopt_leads(%s, 900, converted_when => 'won')", (name,))
    db.execute("CALL lead_protection.switch_on_adoption()")


def number(db, key, source="l"):
    """The number of a lead by its key."""
    return db.execute("SELECT lead_protection.lead_id_of(%s, %s)", (source, key)).fetchone()[0]


@pytest.mark.parametrize("key_type", [*KEYS, "crm.key"])
def test_a_lead_is_known_by_its_key(db, key_type):
    db.execute("CREATE SCHEMA crm")
    table(db, key_type)
    keys = KEYS.get(key_type, KEYS["uuid"])
    keeps = key_type in ("smallint", "bigint")
    numbers = [number(db, key) for key in keys]
    if keeps:
        assert numbers == [int(key) for key in keys]
    assert len(set(numbers)) == 3 and number(db, "3f7e" if not keeps else "99") is None
    shown = db.execute("SELECT lead_id, lead_key FROM lead_protection.v_user_lead_protection ORDER BY lead_id")
    assert shown.fetchall() == sorted((n, None if keeps else key) for n, key in zip(numbers, keys, strict=True))

    db.execute("UPDATE crm.l SET user_id = 8 WHERE id = %s", (keys[0],))
    db.execute("UPDATE crm.l SET won = true WHERE id = %s", (keys[1],))
    db.execute("DELETE FROM crm.l WHERE id = %s", (keys[2],))
    assert [lead_here(db, n)[::3] for n in numbers] == [(8, None), (7, "CONVERTED"), (7, "DELETED")]
    told = db.execute(
        "SELECT payload ->> 'lead_key' FROM lead_protection.outbox_events WHERE type = 'lead.protection.transferred'"
    )
    assert told.fetchall() == [(None if keeps else keys[0],)]
    explained = "SELECT lead_protection.explain_protection_json(%s) ->> 'lead_key'"
    assert db.execute(explained, (numbers[0],)).fetchone() == (None if keeps else keys[0],)
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall() == []


def test_a_row_that_gets_another_key_is_another_lead(db):
    table(db, "uuid")
    old, new = KEYS["uuid"][0], str(uuid.UUID(int=9))
    first = number(db, old)
    db.execute("UPDATE crm.l SET id = %s WHERE id = %s", (new, old))
    assert lead_here(db, first)[3] == "DELETED"
    assert lead_here(db, number(db, new))[0] == 7


def test_the_key_of_a_lead_never_changes(db):
    table(db, "uuid")
    assert sqlstate(db, "UPDATE lead_protection.leads SET lead_key = 'x'").sqlstate == "LP011"


# --- more than one table ---


def test_two_tables_with_integer_keys_have_numbers_that_do_not_meet(db):
    table(db, "smallint")
    db.execute("CREATE TABLE crm.deals (id bigint PRIMARY KEY, user_id int, created_at timestamptz)")
    db.execute("INSERT INTO crm.deals VALUES (1, 8, now() - INTERVAL '3 days')")
    db.execute("CALL lead_protection.adopt_leads('crm.deals', 900, name => 'the deals')")
    db.execute("CALL lead_protection.switch_on_adoption()")
    assert number(db, "1") == 1
    assert number(db, "1", "the deals") == number(db, "1", "crm.deals") == 4 * 10**15
    assert lead_here(db, 4 * 10**15)[0] == 8
    db.execute("INSERT INTO crm.deals VALUES (2, 8, now())")
    assert lead_here(db, number(db, "2", "the deals"))[0] == 8
    db.execute("UPDATE crm.l SET user_id = 9 WHERE id = 1")
    assert (lead_here(db, 1)[0], lead_here(db, 4 * 10**15)[0]) == (9, 8)
    db.execute("CALL lead_protection.disown_source('the deals')")
    assert [row[0] for row in db.execute("SELECT DISTINCT source FROM lead_protection.adopted_tables()")] == ["crm.l"]
    assert sqlstate(db, "SELECT lead_protection.lead_id_of('nothing', '1')").sqlstate == "LP051"


def test_leads_that_moved_to_another_table_of_the_same_name_go_on(db):
    table(db, "uuid")
    before = [number(db, key) for key in KEYS["uuid"]]
    db.execute("CALL lead_protection.disown_source('l')")
    db.execute("CREATE TABLE crm.l2 AS SELECT * FROM crm.l; ALTER TABLE crm.l2 ADD PRIMARY KEY (id)")
    db.execute("CALL lead_protection.adopt_leads('crm.l2', 900, converted_when => 'won', name => 'l')")
    assert [number(db, key) for key in KEYS["uuid"]] == before
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (3,)


def test_no_lead_of_ours_takes_a_number_that_the_company_will_use_next(crm):
    """F of the issue."""
    insert = "INSERT INTO lead_protection.leads (id, user_id) VALUES (%s, 7)"
    error = sqlstate(crm, insert, (10,))
    assert error.sqlstate == "LP065" and error.diag.message_hint
    crm.execute(insert, (5 * 10**15,))
    (drawn,) = crm.execute("INSERT INTO lead_protection.leads (user_id) VALUES (7) RETURNING id").fetchone()
    assert drawn >= 4 * 10**15
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (10, 101)")
    assert lead_here(crm, 10)[0] == 101
    crm.execute("CALL lead_protection.disown_source('leads')")
    crm.execute(insert, (11,))


# --- which rows, which policy ---


def test_rows_for_which_the_condition_is_not_true_do_not_exist(db):
    db.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.l (id int PRIMARY KEY, user_id int, created_at timestamptz, kind text)"
    )
    db.execute(
        "INSERT INTO crm.l SELECT n, 7, now(), CASE n WHEN 1 THEN 'lead' WHEN 2 THEN 'contact' END"
        " FROM generate_series(1, 3) AS n"
    )
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, rows_when => $$kind = 'lead'$$)")
    assert [lead_here(db, n) is None for n in (1, 2, 3)] == [False, True, True]
    db.execute("UPDATE crm.l SET kind = CASE id WHEN 1 THEN 'contact' ELSE 'lead' END")
    assert [lead_here(db, n)[3] for n in (1, 2, 3)] == ["DELETED", None, None]
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []


def test_a_row_may_say_the_name_of_its_policy(db):
    for name, months in (("short", 3), ("long", 12), ("long", 24)):
        db.execute("SELECT lead_protection.create_policy_version(%s, 1, base_months => %s)", (name, months))
    db.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.l (id int PRIMARY KEY, user_id int, created_at timestamptz, terms text)"
    )
    db.execute("INSERT INTO crm.l VALUES (1, 7, now(), 'short'), (2, 7, now(), NULL), (3, 7, now(), 'odd')")
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, policy => 'terms')")
    db.execute("CALL lead_protection.switch_on_adoption()")
    terms = (
        "SELECT p.name, p.version FROM lead_protection.leads AS l"
        " INNER JOIN lead_protection.protection_policies AS p ON l.policy_id = p.id ORDER BY l.id"
    )
    assert queue(db) == [("3", "LP019")]
    assert [row[0] for row in db.execute(terms)] == ["short", "standard"]
    db.execute("UPDATE crm.l SET terms = 'long'")
    assert queue(db) == []
    assert db.execute(terms).fetchall() == [("long", 2)] * 3
    assert news(db) == ["lead.protection.moved"] * 2
    db.execute("UPDATE crm.l SET user_id = 8 WHERE id = 1")
    follow(db)
    assert db.execute(terms).fetchall()[0] == ("long", 2), "also for another user"


# --- followed first ---


def test_whoever_calls_for_a_lead_has_it_followed_first(crm):
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    assert sqlstate(crm, "SELECT lead_protection.create_lead_hold(1, 101, 'x', 1)").sqlstate == "LP003"
    assert crm.execute("SELECT (lead_protection.create_lead_hold(1, 108, 'x', 1)).created").fetchone() == (True,)


def test_also_what_the_own_transaction_has_written_and_not_committed(crm):
    with crm.transaction():
        crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
        crm.execute("SELECT lead_protection.create_lead_hold(9, 101, 'x', 1)")
        crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 9")
        crm.execute("SELECT lead_protection.close_lead(9, 108, 'LOST', 'x', 1)")
    assert news(crm, 9) == ["lead.closed", "lead.hold.created", "lead.hold.released", "lead.protection.transferred"]
    assert queue(crm) == []


def test_a_row_that_was_just_inserted_has_its_number_at_once(db):
    table(db, "uuid")
    key = str(uuid.uuid4())
    with db.transaction():
        db.execute("INSERT INTO crm.l VALUES (%s, 7, now(), false)", (key,))
        lead_id = number(db, key)
        db.execute("SELECT lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
    assert lead_here(db, lead_id)[0] == 7
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("INSERT INTO crm.l VALUES (gen_random_uuid(), 7, now(), false)")
        raise ZeroDivisionError
    follow(db)
    assert db.execute("SELECT count(*) FROM lead_protection.leads").fetchone() == (4,)


def test_a_bulk_call_has_its_leads_followed_first(crm):
    crm.execute("UPDATE crm.leads SET status = 'won' WHERE id = 2")
    done = crm.execute("SELECT lead_id, outcome, sqlstate FROM lead_protection.hold_leads('k', 'x', 1, '{1,2}')")
    assert done.fetchall() == [(1, "done", None), (2, "refused", "LP009")]


def test_a_transaction_at_repeatable_read_is_followed_first_too(crm):
    crm.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("SELECT lead_protection.create_lead_hold(1, 108, 'x', 1)")
    crm.execute("COMMIT")
    assert news(crm) == ["lead.hold.created", "lead.protection.transferred"]


# --- who may ---


def test_a_superuser_who_does_not_own_the_schema_adopts_nothing(db):
    """E of the issue: what the company's table makes run would run as a superuser."""
    db.execute(CRM.ddl)
    db.execute("CREATE ROLE test_lp_owner")
    try:
        db.execute("ALTER SCHEMA lead_protection OWNER TO test_lp_owner")
        error = sqlstate(db, CRM.adopt_sql())
        assert error.sqlstate == "LP068"
        assert "SET ROLE test_lp_owner" in str(error.diag.message_hint)
        assert sqlstate(db, "SELECT lead_protection.import_holds('crm.leads', 1)").sqlstate == "LP068"
    finally:
        db.execute("ALTER SCHEMA lead_protection OWNER TO postgres; DROP ROLE test_lp_owner")


def test_a_domain_of_the_company_runs_nothing(db):
    """E of the issue: a CHECK of a key's domain was run by a cast."""
    db.execute("""
        CREATE SCHEMA crm;
        CREATE TABLE crm.ran (as_whom text);
        CREATE FUNCTION crm.evil(bigint) RETURNS boolean LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO crm.ran VALUES (CURRENT_USER); RETURN true; END$$;
        CREATE DOMAIN crm.key AS bigint CHECK (crm.evil(value));
        CREATE TABLE crm.l (id crm.key PRIMARY KEY, user_id crm.key, created_at timestamptz);
        INSERT INTO crm.l VALUES (1, 7, now());
        TRUNCATE crm.ran;
    """)
    db.execute("CALL lead_protection.adopt_leads('crm.l', 900, nobody_when => 'user_id = 0')")
    db.execute("DELETE FROM crm.l WHERE id = 1")
    db.execute("CALL lead_protection.run_nightly_maintenance(INTERVAL '30 days')")
    follow(db)
    assert lead_here(db, 1)[3] == "DELETED"
    assert db.execute("SELECT * FROM crm.ran").fetchall() == []


@pytest.mark.parametrize(
    "condition",
    [
        "true') THEN true END; CREATE TABLE crm.pwned (a int); SELECT CASE WHEN (true",
        "true) THEN true END; CREATE TABLE crm.pwned (a int); SELECT CASE WHEN (true",
        "true) THEN true END FROM crm.leads --",
        "id = 1) OR (true",
        "true /*",
        "(SELECT crm.planted())",
    ],
)
def test_a_condition_is_one_expression_and_the_check_runs_nothing(db, condition):
    """E of the issue: the check made a table, and said ok; EXPLAIN folded a function."""
    db.execute(CRM.ddl)
    db.execute("""
        CREATE TABLE crm.ran (n int);
        CREATE FUNCTION crm.planted() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO crm.ran VALUES (1); RETURN true; END$$;
    """)
    found = db.execute(
        "SELECT severity FROM lead_protection.check_source('crm.leads', 'leads',"
        " jsonb_build_object('user_column', 'owner_id', 'converted_when', %s::text)) WHERE item = 'converted_when'",
        (condition,),
    ).fetchall()
    assert found == [("warning",)] if "planted" in condition else found == [("problem",)]
    assert db.execute("SELECT to_regclass('crm.pwned'), (SELECT count(*) FROM crm.ran)").fetchone() == (None, 0)
