"""Adopted, disowned and adopted again, by whom and with which arguments; what is refused."""

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from helpers.adoption_calls import lead_here, news, queue, schema_of, sqlstate
from helpers.command_line import run_cli, run_ok
from helpers.sources import CRM, assert_in_step

pytestmark = pytest.mark.slow("a company's tables are made, adopted and dropped again")

# --- adopted again, in another way, twice ---


def test_adopted_again_with_the_same_arguments_nothing_changes(crm):
    before = crm.execute("SELECT * FROM lead_protection.adoptions").fetchall()
    crm.execute(CRM.adopt_sql())
    assert crm.execute("SELECT * FROM lead_protection.adoptions").fetchall() == before


def test_adopted_in_another_way_or_under_a_name_in_use_is_refused(crm):
    assert sqlstate(crm, CRM.adopt_sql(lost_when="status = 'gone'")).sqlstate == "LP048"
    crm.execute("CREATE TABLE public.leads (LIKE crm.leads INCLUDING ALL)")
    error = sqlstate(crm, CRM.adopt_sql(source="public.leads"))
    assert error.sqlstate == "LP048"
    assert "disown_source('leads')" in str(error.diag.message_hint)
    assert crm.execute("SELECT count(*) FROM lead_protection.adoptions").fetchone() == (1,)


def test_disowned_and_adopted_again_follows_what_changed_meanwhile(crm):
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("UPDATE crm.leads SET owner_id = 108 WHERE id = 1")
    crm.execute("DELETE FROM crm.leads WHERE id = 2")
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    assert lead_here(crm, 1)[0] == 101
    crm.execute(CRM.adopt_sql(lost_when="status IN ('lost', 'gone')"))
    assert_in_step(crm, "crm")
    assert news(crm) == ["lead.deleted", "lead.protection.transferred"]


def test_another_table_after_the_first_was_disowned(crm):
    """The same leads moved to a new table: those that are the same go on, another one of a number in use is told."""
    crm.execute("CALL lead_protection.disown_source('crm.leads')")
    crm.execute("CREATE TABLE crm.new_leads AS SELECT * FROM crm.leads")
    crm.execute("ALTER TABLE crm.new_leads ADD PRIMARY KEY (id); UPDATE crm.new_leads SET owner_id = 105 WHERE id = 3")
    crm.execute(CRM.adopt_sql(source="crm.new_leads"))
    assert queue(crm) == [("3", "LP046")]
    assert lead_here(crm, 3)[0] == 102
    crm.execute("UPDATE crm.new_leads SET owner_id = 108 WHERE id = 1")
    assert lead_here(crm, 1)[0] == 108
    # The old one is nobody's business any more.
    crm.execute("DELETE FROM crm.leads")
    assert crm.execute("SELECT count(*) FROM lead_protection.leads WHERE closed_as = 'DELETED'").fetchone() == (0,)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
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
    status, output = run_cli("rollback", "--all", "--yes", "--database", database_url)
    assert status == 1
    assert "CALL lead_protection.disown_source('crm.leads');" in output
    crm.execute("INSERT INTO crm.leads (id, owner_id) VALUES (9, 101)")
    assert lead_here(crm, 9)[0] == 101


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
                assert lead_here(admin, 1)[0] == 101
                error = sqlstate(dba, "CALL lead_protection.disown_source('crm.leads')")
                assert error.sqlstate == "LP053"
                admin.execute("UPDATE crm.leads SET owner_id = 102 WHERE id = 1")
                admin.execute(str(error.diag.message_hint).split(": ")[1].rstrip("."))
                assert lead_here(admin, 1)[0] == 101
                left = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'crm.leads'::regclass"
                assert admin.execute(left).fetchone() == (0,)
        finally:
            admin.execute("DROP OWNED BY test_dba, test_crm CASCADE; DROP ROLE test_dba, test_crm")


def test_conditions_do_not_depend_on_the_session(db):
    db.execute(CRM.ddl)
    db.execute("ALTER TABLE crm.leads ADD COLUMN due date DEFAULT '2026-03-29'")
    db.execute(CRM.insert_sql(1, 10, 101))
    db.execute(CRM.adopt_sql(deleted_when="due::timestamptz < '2026-03-28 20:00+00'"))
    db.execute("SET timezone = 'Asia/Tokyo'")
    db.execute("UPDATE crm.leads SET note = 'x'")
    assert db.execute("SELECT * FROM lead_protection.find_adoption_drift()").fetchall() == []
    assert lead_here(db, 1)[2:] == (False, None)


def test_a_domain_over_an_instant_is_that_instant(db):
    db.execute(CRM.ddl)
    db.execute("CREATE DOMAIN crm.moment AS timestamptz")
    db.execute("ALTER TABLE crm.leads ALTER created_at TYPE crm.moment")
    db.execute("INSERT INTO crm.leads (id, owner_id, created_at) VALUES (1, 101, '2026-07-01 10:00+00')")
    db.execute(CRM.adopt_sql(time_zone="America/New_York"))
    started = db.execute("SELECT created_at = '2026-07-01 10:00+00' FROM lead_protection.leads")
    assert started.fetchall() == [(True,)]


@pytest.mark.parametrize(
    "condition", ["tableoid IS NULL", "max(status) = 'x'", "generate_series(1, 2) = 1", "s.ctid IS NULL", "true) OR (1"]
)
def test_conditions_that_are_none_on_one_row_are_refused(db, condition):
    db.execute(CRM.ddl)
    assert sqlstate(db, CRM.adopt_sql(lost_when=condition)).sqlstate == "LP045"
