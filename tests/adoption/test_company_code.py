"""Code of the company's own, in conditions, types, policies and views: it gains nothing that its author had not."""

import pytest

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

FOLLOW = "SELECT lead_protection.follow_adoption_queue()"
ADOPT = "CALL lead_protection.adopt_leads('crm.l', 900, converted_when => 'crm.spy(note)', nobody_when => 'false')"


@pytest.fixture
def crm(db):
    """A table whose owner, no superuser, may put code wherever a table has some."""
    db.execute("""
        DROP ROLE IF EXISTS test_planter;
        CREATE ROLE test_planter;
        CREATE SCHEMA crm AUTHORIZATION test_planter;
        CREATE TABLE public.secret (word text);
        INSERT INTO public.secret VALUES ('swordfish');
        SET ROLE test_planter;
        CREATE TABLE crm.l (id int PRIMARY KEY, user_id int, created_at timestamptz NOT NULL DEFAULT now(), note text);
        RESET ROLE;
    """)
    yield db
    db.execute("""
        RESET ROLE;
        DROP SCHEMA crm CASCADE;
        DROP OWNED BY test_planter, lead_protection_reader;
        DROP ROLE test_planter;
    """)


def plant(db, statement):
    """A function of the table's owner that tries a statement and tells, as an error, who it was and what came of it."""
    db.execute("SET ROLE test_planter")
    db.execute(f"""
        CREATE OR REPLACE FUNCTION crm.spy(note text) RETURNS boolean LANGUAGE plpgsql AS $spy$
        DECLARE
            outcome text := 'done';
        BEGIN
            BEGIN
                EXECUTE $try${statement}$try$;
            EXCEPTION WHEN OTHERS THEN
                outcome := SQLSTATE;
            END;
            RAISE EXCEPTION 'as %: %', CURRENT_USER, outcome;
        END $spy$
    """)
    db.execute("RESET ROLE")


ATTEMPTS = {
    "SELECT FROM lead_protection.leads": "42501",
    "SELECT FROM public.secret": "42501",
    "SELECT lead_protection.run_adopted_sql('SELECT 1', NULL, NULL, 1, NULL, NULL)": "42501",
    "ALTER FUNCTION lead_protection.run_adopted_sql SECURITY INVOKER": "25006",
    "CREATE FUNCTION crm.more() RETURNS int LANGUAGE sql AS 'SELECT 1'": "25006",
    "UPDATE crm.l SET user_id = 8": "25006",
    "SET transaction_read_only = off": "25001",
    "SET ROLE test_planter": "42501",
    "GRANT lead_protection_reader TO test_planter": "25006",
    "ALTER ROLE test_planter SUPERUSER": "25006",
    "CREATE TABLE crm.more (a int)": "25006",
    "CREATE TEMPORARY TABLE more (a int)": "25006",
}


@pytest.mark.parametrize(("statement", "sqlstate"), ATTEMPTS.items())
def test_a_condition_runs_as_the_reader_and_writes_nothing(crm, statement, sqlstate):
    plant(crm, statement)
    crm.execute(ADOPT)
    crm.execute("INSERT INTO crm.l VALUES (1, 7)")
    crm.execute(FOLLOW)
    rows = crm.execute("SELECT row_key, error FROM lead_protection.adoption_queue").fetchall()
    assert rows == [("1", f"P0001: as lead_protection_reader: {sqlstate}")]


def test_a_row_on_which_it_fails_stops_no_other(crm):
    """Neither as the table is taken over, nor as it is proved."""
    crm.execute("SET ROLE test_planter")
    crm.execute(
        "INSERT INTO crm.l SELECT n, 7, now(), CASE n WHEN 3 THEN 'x' ELSE '1' END FROM generate_series(1, 5) AS n"
    )
    crm.execute("RESET ROLE")
    crm.execute("CALL lead_protection.adopt_leads('crm.l', 900, converted_when => 'note::int = 2', batch_size => 2)")
    ids = "SELECT array_agg(id ORDER BY id) FROM lead_protection.leads"
    waits = "SELECT row_key, left(error, 7) FROM lead_protection.adoption_queue"
    assert crm.execute(waits).fetchall() == [("3", "22P02: ")]
    assert crm.execute(ids).fetchone() == ([1, 2, 4, 5],)
    drift = "SELECT row_key, finding FROM lead_protection.find_adoption_drift()"
    assert crm.execute(drift).fetchall() == [("3", "the row cannot be read")]
    crm.execute("UPDATE crm.l SET note = '1' WHERE id = 3")
    crm.execute(FOLLOW)
    assert crm.execute(ids).fetchone() == ([1, 2, 3, 4, 5],)
    assert crm.execute(drift).fetchall() == []


def test_the_checks_of_a_domain_are_not_run(crm):
    """A key, a user, an instant of a domain are read as what the domain is made of."""
    crm.execute("""
        SET ROLE test_planter;
        CREATE FUNCTION crm.is_ours() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            IF CURRENT_USER <> 'test_planter' THEN RAISE EXCEPTION 'run as %', CURRENT_USER; END IF;
            RETURN true;
        END $$;
        CREATE DOMAIN crm.number AS int CHECK (crm.is_ours());
        CREATE DOMAIN crm.instant AS timestamptz CHECK (crm.is_ours());
        DROP TABLE crm.l;
        CREATE TABLE crm.l (id crm.number PRIMARY KEY, user_id crm.number, created_at crm.instant NOT NULL);
        INSERT INTO crm.l VALUES (1, 7, now());
        RESET ROLE;
    """)
    crm.execute("CALL lead_protection.adopt_leads('crm.l', 900)")
    crm.execute("SET ROLE test_planter")
    crm.execute("INSERT INTO crm.l VALUES (2, 8, now())")
    crm.execute("RESET ROLE")
    crm.execute(FOLLOW)
    assert crm.execute("SELECT id, user_id FROM lead_protection.leads ORDER BY id").fetchall() == [(1, 7), (2, 8)]


def test_the_reader_may_read_adopted_tables_only_as_long_as_they_are_adopted(crm):
    may = """
        SELECT has_schema_privilege('lead_protection_reader', 'crm', 'USAGE'),
            has_table_privilege('lead_protection_reader', 'crm.l', 'SELECT'),
            has_schema_privilege('lead_protection_reader', 'lead_protection', 'USAGE'),
            has_schema_privilege('lead_protection_reader', 'lead_protection', 'CREATE')
    """
    plain = "CALL lead_protection.adopt_leads('crm.l', 900)"
    assert crm.execute(may).fetchone() == (False, False, False, False)
    crm.execute(plain)
    assert crm.execute(may).fetchone() == (True, True, False, False)
    crm.execute("CALL lead_protection.disown_source('l')")
    assert crm.execute(may).fetchone() == (False, False, False, False)


def test_the_reader_owns_nothing_but_the_function_that_runs_as_it(db):
    owned = db.execute("""
        SELECT p.oid::regprocedure::text, p.prosecdef
        FROM pg_proc AS p WHERE p.proowner = 'lead_protection_reader'::regrole
    """).fetchall()
    assert owned == [("lead_protection.run_adopted_sql(text,text[],text,bigint,text[],text)", True)]
    members = db.execute("SELECT roleid FROM pg_auth_members WHERE member = 'lead_protection_reader'::regrole")
    assert members.fetchall() == []
    for role in ("PUBLIC", "lead_protection_app", "lead_protection_operator", "lead_protection_jobs"):
        assert db.execute(
            "SELECT has_function_privilege(%s, %s, 'EXECUTE')", (role.lower(), owned[0][0])
        ).fetchone() == (False,)
