"""A database that is moved by the real tools: the same catalog, the same rows and dates, and nothing is sent twice."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import drift
from helpers.guards import but_by_night
from helpers.moved import live_in, load_sample, look
from helpers.project import PROJECT, left_to, run_program

pytestmark = pytest.mark.slow("a database with the demo's sample is dumped and restored")


@pytest.fixture
def lived_in(sample: psycopg.Connection) -> psycopg.Connection:
    """A database in which all kinds of rows are."""
    live_in(sample)
    return sample


@pytest.fixture(autouse=True)
def same_version(server) -> None:
    """Newer programs write settings that an older server does not know, as `SET transaction_timeout` from 17 on."""
    said = program(server, "pg_dump", "--version")
    with psycopg.connect(server.url()) as db:
        if f") {db.info.server_version // 10000}." not in said:
            pytest.skip(f"the programs of this server are of another version: {said}")


def by_directory(server, source: str, target: str) -> None:
    program(server, "pg_dump", "--format=custom", f"--file=/dev/shm/{target}.dump", server.url(source))
    try:
        program(server, "pg_restore", "--exit-on-error", f"--dbname={server.url(target)}", f"/dev/shm/{target}.dump")
    finally:
        run_program(["rm", "-f", f"/dev/shm/{target}.dump"])


def by_psql(server, source: str, target: str) -> None:
    server.psql("-f", "-", dbname=target, stdin=program(server, "pg_dump", server.url(source)))


def one_schema(server, source: str, target: str) -> None:
    """What the company has beside it, and yoyo's books, stay behind."""
    dump = program(server, "pg_dump", "--schema=lead_protection", server.url(source))
    server.psql("-f", "-", dbname=target, stdin=dump)


def program(server, name: str, *args: str) -> str:
    done = run_program([str(server.bin / name), *args])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "move",
    but_by_night(
        [by_directory, by_psql, one_schema],
        [by_psql],
        "another form of the same dump",
        "install/test_moved_house.py::test_a_dump_restored_into_a_new_database_goes_on_where_it_was",
    ),
)
def test_a_dump_restored_into_a_new_database_goes_on_where_it_was(
    move: Callable, lived_in, server, catalog, empty_database_url
):
    source, target = lived_in.info.dbname, psycopg.conninfo.conninfo_to_dict(empty_database_url)["dbname"]
    at = datetime.now(UTC)
    before, defined = look(lived_in, at), catalog(server.url(source))

    move(server, source, target)

    with psycopg.connect(empty_database_url, autocommit=True) as db:
        assert look(db, at) == before
        assert drift(db) == []
        # Nothing is due once more, and the next numbers are new ones.
        ledgers = (
            "SELECT (SELECT count(*) FROM lead_protection.lead_reminders), count(*) FROM lead_protection.lead_expiries"
        )
        counted = db.execute(ledgers).fetchone()
        db.execute("CALL lead_protection.run_protection_pipeline()")
        db.execute("CALL lead_protection.run_nightly_maintenance()")
        assert db.execute(ledgers).fetchone() == counted
        db.execute("INSERT INTO lead_protection.leads (user_id) VALUES (101)")
        made = "SELECT created FROM lead_protection.create_lead_hold(150, {}, 'x', 1)"
        (user,) = db.execute("SELECT user_id FROM lead_protection.leads WHERE id = 150").fetchone()
        assert db.execute(made.format(user)).fetchone() == (True,)
        assert db.execute("SELECT count(*) FROM lead_protection.claim_events('crm', 1000)").fetchone()[0] > 0
    # A dump writes some expressions in other words; the next apply has them as they were.
    assert "0 pending" in run_ok("apply", "--database", empty_database_url)
    assert catalog(empty_database_url) == defined
    run_ok("status", "--database", empty_database_url)


@pytest.mark.thorough(
    "the same dump in parts",
    by_day="install/test_moved_house.py::test_a_dump_restored_into_a_new_database_goes_on_where_it_was",
)
def test_data_alone_goes_into_the_tables_of_a_dump_and_not_of_an_apply(lived_in, server, empty_database_url):
    """As docs/installing.md says: the definition of the same dump first, then its rows."""
    source, target = lived_in.info.dbname, psycopg.conninfo.conninfo_to_dict(empty_database_url)["dbname"]
    at = datetime.now(UTC)
    before = look(lived_in, at)
    for part in ("--section=pre-data", "--section=data", "--section=post-data"):
        dump = program(server, "pg_dump", "--schema=lead_protection", part, server.url(source))
        server.psql("-f", "-", dbname=target, stdin=dump)
    with psycopg.connect(empty_database_url, autocommit=True) as db:
        assert look(db, at) == before
    assert "0 pending" in run_ok("apply", "--database", empty_database_url)
    rows = program(server, "pg_dump", "--schema=lead_protection", "--data-only", server.url(source))
    refused = server.psql("-v", "VERBOSITY=sqlstate", "-f", "-", dbname=target, stdin=rows, check=False)
    assert " 23505" in refused.stderr


@left_to("moved-house")
def test_an_owner_who_is_no_superuser_moves_it(bare, tmp_path):
    """As the runbook says: what a superuser does in the new database is roles.sql, and no more."""
    roles = str(PROJECT / "sql" / "roles.sql")
    bare.server.psql("CREATE DATABASE new")
    for dbname in ("crm", "new"):
        bare.server.psql("-v", "owner=crm_owner", "-f", roles, dbname=dbname)
    old, new = bare.url("crm", "crm_owner"), bare.url("new", "crm_owner")
    run_ok("apply", "--database", old)
    with closing(bare.connect("crm", "crm_owner")) as db:
        load_sample(db)
        live_in(db)
        at = datetime.now(UTC)
        before = look(db, at)
    dump = str(tmp_path / "dump")
    program(bare.server, "pg_dump", "--format=custom", "--schema=lead_protection", f"--file={dump}", old)
    program(bare.server, "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={new}", dump)
    assert "0 pending" in run_ok("apply", "--database", new)
    run_ok("status", "--database", new)
    with closing(bare.connect("new", "crm_owner")) as db:
        assert look(db, at) == before
        assert drift(db) == []
        owners = "SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'lead_protection'::regnamespace"
        assert set(db.execute(f"{owners} AND proname <> 'run_adopted_sql'")) == {("crm_owner",)}
        assert db.execute(f"{owners} AND proname = 'run_adopted_sql'").fetchall() == [("lead_protection_reader",)]
        db.execute("CALL lead_protection.run_protection_pipeline()")
        reminders = db.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone()
        assert reminders == (len(before[0]["lead_reminders"]),)
