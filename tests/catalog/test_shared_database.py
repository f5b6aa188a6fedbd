"""The database that the tests share: what one leaves behind does not reach the next."""

import pytest

from helpers.facts import REMINDER_DUE, insert_lead_of_age
from helpers.shared_database import SharedDatabase

pytestmark = pytest.mark.slow("each test spoils a database")


@pytest.fixture
def shared(new_database, server, template):
    with SharedDatabase(new_database, server, template) as shared:
        yield shared


def rows(connection, table):
    return connection.execute(f"SELECT * FROM lead_protection.{table} ORDER BY 1").fetchall()


def test_rows_sequences_and_settings_are_put_back_and_the_session_stays(shared):
    connection = shared.take()
    seeded = {table: rows(connection, table.removeprefix("lead_protection.")) for table in shared.seeds}
    insert_lead_of_age(connection, 7, REMINDER_DUE)
    connection.execute("CALL lead_protection.run_protection_pipeline()")
    connection.execute("DELETE FROM lead_protection.settings")
    connection.execute(
        "SELECT lead_protection.create_calendar_version('OWN', 'Own', '[]', NULL, 1, calendar_id)"
        " FROM lead_protection.calendar_days LIMIT 1"
    )
    connection.execute("SELECT lead_protection.create_policy_version('other', 1)")
    connection.execute("SET statement_timeout = 1000")
    connection.execute("SET ROLE pg_monitor")
    shared.settle()
    shared.give_back()

    assert shared.take() is connection
    assert connection.execute("SELECT count(*) FROM lead_protection.protection_log").fetchone() == (0,)
    assert {table: rows(connection, table.removeprefix("lead_protection.")) for table in shared.seeds} == seeded
    assert connection.execute("SHOW statement_timeout").fetchone() == ("5min",)
    assert connection.execute("SELECT current_user = session_user").fetchone() == (True,)
    connection.execute("INSERT INTO lead_protection.leads (user_id) VALUES (7)")
    assert [row[0] for row in rows(connection, "leads")] == [1], "the sequence begins anew"


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE lead_protection.leads DISABLE TRIGGER check_lead",
        "ALTER TABLE lead_protection.leads ADD COLUMN more text",
        "ALTER TABLE lead_protection.leads ALTER COLUMN created_at DROP NOT NULL",
        "ALTER TABLE lead_protection.leads ALTER COLUMN closed_as SET DEFAULT 'LOST'",
        "GRANT SELECT ON lead_protection.leads TO PUBLIC",
        "GRANT USAGE ON SCHEMA public TO lead_protection_reader",
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        "CREATE EXTENSION btree_gist",
        "CREATE TABLE public.t (a int); ALTER TABLE lead_protection.leads ADD CONSTRAINT t CHECK (id > 0)",
        "ALTER FUNCTION lead_protection.read_lead COST 7",
        "DROP INDEX lead_protection.idx_lead_holds_lead_user",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 1024', current_database()); END $$",
        "ALTER TABLE lead_protection.lead_holds DROP CONSTRAINT lead_holds_reason_not_blank",
    ],
)
def test_a_database_with_another_definition_is_dropped(shared, change):
    connection = shared.take()
    connection.execute(change)
    shared.settle()
    shared.give_back()
    assert connection.closed and shared.take() is not connection


def test_what_a_test_made_beside_ours_is_dropped_and_the_session_stays(shared):
    connection = shared.take()
    for columns in ("a integer", "a text, b text"):
        connection.execute(
            f"CREATE SCHEMA crm; CREATE TABLE crm.t ({columns}); CREATE TABLE public.t (id bigint PRIMARY KEY);"
            " CREATE FUNCTION crm.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            " CREATE FUNCTION public.f(r public.t) RETURNS integer RETURN 1;"
            " CREATE TRIGGER f BEFORE INSERT ON lead_protection.leads FOR EACH ROW EXECUTE FUNCTION crm.f();"
            " CREATE VIEW public.v AS SELECT a FROM lead_protection.leads, crm.t"
        )
        # It is prepared, with the columns of then.
        for _ in range(10):
            connection.execute("SELECT * FROM crm.t")
        shared.settle()
        shared.give_back()
        assert shared.take() is connection
        assert connection.execute("SELECT to_regclass('public.t'), to_regclass('public.v')").fetchone() == (None, None)
        connection.execute("INSERT INTO lead_protection.leads (user_id) VALUES (7)")
