"""What is handed out: the wheel, and the one script for those who have only psql."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from helpers.command_line import run_cli, run_ok
from helpers.facts import REMINDER_DUE, events, insert_lead_of_age
from helpers.guards import but_by_night
from helpers.project import PROJECT, run_program
from helpers.rows import columns_of_tables, fetch, rows_of_tables
from helpers.server import Server
from lead_protection.database import LOCKED_TABLE, try_apply_lock

pytestmark = pytest.mark.slow("the wheel is built and installed, and the script run whole in each test")

MIGRATIONS = sorted(p.stem for p in (PROJECT / "migrations").glob("*.sql") if ".rollback" not in p.name)
# What the developer's shell has there would hide the package that was installed.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
NOTHING = "SELECT nspname FROM pg_namespace WHERE nspname = 'lead_protection'"


def main_path_works(url: str) -> None:
    """A lead, a hold and its release, the reminder."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (9001, 7)")
        hold = "SELECT created FROM lead_protection.create_lead_hold(9001, 7, 'strike', 1)"
        assert db.execute(hold).fetchone() == (True,)
        release = "SELECT released FROM lead_protection.release_lead_hold(9001, 7, 1)"
        assert db.execute(release).fetchone() == (True,)
        insert_lead_of_age(db, 9002, REMINDER_DUE)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        assert db.execute("SELECT lead_id FROM lead_protection.lead_reminders").fetchall() == [(9002,)]
        assert events(db)[-1] == "lead.protection.reminder"
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []


# ---------------------------------------------------------------- the wheel


PIP = ["--quiet", "--disable-pip-version-check", "--no-input"]


def succeed(*command: str | Path) -> None:
    """Run a program."""
    done = run_program([str(part) for part in command], cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built."""
    folder = tmp_path_factory.mktemp("wheel")
    succeed(sys.executable, "-m", "pip", "wheel", *PIP, "--no-deps", "--wheel-dir", folder, PROJECT)
    (wheel,) = folder.glob("lead_protection-*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder of programs of an empty environment into which the built wheel was installed."""
    venv = wheel.parent / "venv"
    # The pip that is here fills it: a pip of its own would only be installed for this.
    succeed(sys.executable, "-m", "venv", "--without-pip", venv)
    succeed(sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", *PIP, wheel)
    return venv / "bin"


@pytest.mark.thorough(
    "apply once more, from a wheel",
    by_day="install/test_package.py::test_the_wheel_carries_the_sql_and_the_documents",
)
def test_the_wheel_installs_a_whole_system_from_anywhere(
    installed, empty_database_url, catalog, fresh_catalog, tmp_path
):
    def lead_protection(*args: str) -> str:
        done = run_program([str(installed / "lead-protection"), *args], cwd=tmp_path, env=ENVIRONMENT)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    output = lead_protection("apply", "--database", empty_database_url)
    assert re.findall(r"(?m)^  (\d{4}_\w+) +ok +\d+ ms$", output) == MIGRATIONS
    assert catalog(empty_database_url) == fresh_catalog
    lead_protection("status", "--database", empty_database_url)
    assert "0 pending" in lead_protection("apply", "--database", empty_database_url)
    main_path_works(empty_database_url)
    assert lead_protection("sql") == run_ok("sql")
    assert lead_protection("sql", "--roles") == (PROJECT / "sql" / "roles.sql").read_text()


def test_the_wheel_carries_the_sql_and_the_documents(wheel):
    """Inside the package, where installer.find_home() looks."""
    names = ZipFile(wheel).namelist()
    for folder in ("migrations", "sql", "docs", "schemas"):
        inside = f"lead_protection/{folder}/"
        carried = {name.removeprefix(inside) for name in names if name.startswith(inside)}
        tracked = subprocess.run(["git", "-C", PROJECT, "ls-files", folder], capture_output=True, text=True).stdout
        expected = {name.removeprefix(f"{folder}/") for name in tracked.split()} or carried
        assert expected <= carried
        assert carried
    assert "lead_protection/docs/runbook.md" in names


# ---------------------------------------------------------------- psql alone


@pytest.fixture
def psql(server: Server):
    """Return a function that runs a script in a database, as psql does it to a DBA."""

    def run_script(script: str, url: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        dbname = str(conninfo_to_dict(url)["dbname"])
        return server.psql("-f", "-", *args, dbname=dbname, stdin=script, check=check)

    return run_script


@pytest.fixture(scope="module")
def by_script(new_database: Callable, server: Server) -> Iterator[str]:
    """A database that the script has installed, as a template."""
    with new_database() as name:
        server.psql("-f", "-", dbname=name, stdin=run_ok("sql"))
        yield name


@pytest.fixture
def scripted_url(by_script: str, new_database: Callable, server: Server) -> Iterator[str]:
    """The URL of a database of this test's own that the script has installed."""
    with new_database(by_script) as name:
        yield server.url(name)


def test_the_script_installs_what_apply_installs(empty_database_url, database_url, catalog, fresh_catalog, psql):
    output = psql(run_ok("sql"), empty_database_url).stdout
    assert output.splitlines()[: len(MIGRATIONS)] == MIGRATIONS
    assert catalog(empty_database_url) == fresh_catalog
    checksums = "SELECT migration_id, sha256 FROM lead_protection.migration_checksums ORDER BY 1"
    assert fetch(empty_database_url, checksums) == fetch(database_url, checksums)
    with psycopg.connect(empty_database_url) as by_script, psycopg.connect(database_url) as by_apply:
        columns = columns_of_tables(by_apply, instants=False)
        assert rows_of_tables(by_script, columns) == rows_of_tables(by_apply, columns)
    main_path_works(empty_database_url)


def test_the_command_line_takes_over_what_the_script_installed(scripted_url, catalog):
    before = catalog(scripted_url)
    shown = run_ok("status", "--database", scripted_url)
    assert re.search(rf"(?m)^Migrations\n  {len(MIGRATIONS)} applied\n  sql/ +loaded\n\n", shown)
    assert fetch(scripted_url, "SELECT FROM pg_class WHERE relname LIKE '%yoyo%'") == []

    assert "0 pending" in run_ok("apply", "--database", scripted_url)
    assert catalog(scripted_url) == before
    books = "SELECT migration_id FROM _yoyo_migration ORDER BY 1"
    assert fetch(scripted_url, books) == [(name,) for name in MIGRATIONS]
    url = scripted_url.replace("postgresql://", "postgresql+psycopg://")
    done = run_program([sys.executable, "-m", "yoyo", "list", "--database", url], cwd=PROJECT)
    assert len(re.findall(r"(?m)^A ", done.stdout)) == len(MIGRATIONS), done.stdout + done.stderr
    run_ok("rollback", "--all", "--yes", "--database", scripted_url)
    assert fetch(scripted_url, NOTHING) == []


@pytest.mark.thorough(
    "two steps of all",
    by_day="install/test_package.py::test_the_command_line_takes_over_what_the_script_installed",
)
def test_the_command_line_can_roll_back_what_the_script_installed(scripted_url, catalog):
    before = catalog(scripted_url)
    run_ok("rollback", "--steps", "2", "--yes", "--database", scripted_url)
    assert "2 pending" in run_ok("apply", "--database", scripted_url)
    assert catalog(scripted_url) == before


def test_the_script_run_again_changes_nothing(scripted_url, catalog, psql):
    with psycopg.connect(scripted_url) as db:
        insert_lead_of_age(db, 1, REMINDER_DUE)
    rows = (
        "SELECT (SELECT json_agg(l) FROM lead_protection.leads AS l)::text,"
        " (SELECT json_agg(c ORDER BY migration_id) FROM lead_protection.migration_checksums AS c)::text"
    )
    before = catalog(scripted_url), fetch(scripted_url, rows)
    output = psql(run_ok("sql"), scripted_url).stdout
    assert re.findall(r"(?m)^\d{4}_", output) == []
    assert (catalog(scripted_url), fetch(scripted_url, rows)) == before


@pytest.mark.thorough(
    "once more in turns",
    by_day="install/test_package.py::test_the_command_line_takes_over_what_the_script_installed"
    " install/test_package.py::test_the_script_run_again_changes_nothing",
)
def test_the_script_and_the_command_line_take_turns(database_url, tree, catalog, psql):
    """What apply made, the script upgrades, and keeps yoyo's books; then apply, and a plain rollback by yoyo."""
    (tree / "migrations" / "9998_more.sql").write_text("CREATE TABLE lead_protection.more (id int);\n")
    (tree / "migrations" / "9998_more.rollback.sql").write_text("DROP TABLE lead_protection.more;\n")
    script = run_ok("sql", tree=tree)
    assert "9998_more" in psql(script, database_url).stdout
    last = "SELECT migration_id FROM _yoyo_migration ORDER BY 1 DESC LIMIT 1"
    assert fetch(database_url, last) == [("9998_more",)]
    run_ok("status", "--database", database_url, tree=tree)
    upgraded = catalog(database_url)

    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    command = [sys.executable, "-m", "yoyo", "rollback", "--batch", "--revision", "9998_more", "--database", url]
    done = run_program([*command, str(tree / "migrations")], cwd=tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert fetch(database_url, "SELECT to_regclass('lead_protection.more')") == [(None,)]
    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1
    assert re.search(r"9998_more +pending", output)
    assert "9998_more" in psql(script, database_url).stdout
    assert catalog(database_url) == upgraded
    assert "0 pending" in run_ok("apply", "--database", database_url, tree=tree)


# 0034 is committed by itself.
@pytest.mark.parametrize(
    ("name", "left"),
    but_by_night(
        [("migrations/0033_z_broken.sql", 0), ("sql/views/v_user_lead_protection.sql", 1)],
        [("migrations/0033_z_broken.sql", 0)],
        "another place of the same script",
        "install/test_package.py::test_a_failing_script_leaves_nothing_behind_but_what_was_committed",
    ),
)
def test_a_failing_script_leaves_nothing_behind_but_what_was_committed(empty_database_url, tree, psql, name, left):
    with (tree / name).open("a") as file:
        file.write("\nSELECT 1 / 0;\n")
    done = psql(run_ok("sql", tree=tree), empty_database_url, "-v", "VERBOSITY=sqlstate", check=False)
    assert done.returncode == 3
    assert " 22012" in done.stderr
    assert len(fetch(empty_database_url, NOTHING)) == left
    psql(run_ok("sql"), empty_database_url)
    run_ok("status", "--database", empty_database_url)


def test_the_script_refuses_edited_migrations(database_url, tree, catalog, fresh_catalog, psql):
    before = fresh_catalog
    with (tree / "migrations" / "0003_leads.sql").open("a") as file:
        file.write("-- edited\n")
    (tree / "migrations" / "9999_more.sql").write_text("CREATE TABLE lead_protection.more (id int);\n")
    done = psql(run_ok("sql", tree=tree), database_url, "-v", "VERBOSITY=verbose", check=False)
    assert done.returncode == 3
    assert "55000: applied migrations were edited since: 0003_leads" in done.stderr
    assert catalog(database_url) == before


def test_the_script_of_an_older_version_is_refused(database_url, tree, catalog, psql):
    (tree / "migrations" / "9999_newer.sql").write_text("CREATE TABLE lead_protection.newer (id int);\n")
    run_ok("apply", "--database", database_url, tree=tree)
    before = catalog(database_url)
    done = psql(run_ok("sql"), database_url, "-v", "VERBOSITY=verbose", check=False)
    assert done.returncode == 3
    assert "55000: the database has migrations that this script does not carry: 9999_newer" in done.stderr
    assert catalog(database_url) == before


def test_the_script_does_not_run_beside_an_apply(database_url, connect, psql):
    assert try_apply_lock(connect(autocommit=False))
    done = psql(run_ok("sql"), database_url, "-v", "VERBOSITY=verbose", check=False)
    assert done.returncode == 3
    assert "55P03: another apply or install.sql is at work" in done.stderr


def test_the_script_waits_for_an_autovacuum_to_give_way(database_url, connect, psql, wait_until):
    """An ANALYZE of the table has the same lock, right after an installation has filled it."""
    analyze, watcher = connect(autocommit=False), connect()
    assert try_apply_lock(analyze)
    with ThreadPoolExecutor() as pool:
        done = pool.submit(psql, run_ok("sql"), database_url)
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
        wait_until(lambda: watcher.execute(waiting, [LOCKED_TABLE]).fetchone() == (1,))
        analyze.rollback()
    assert done.result().returncode == 0


def test_the_script_waits_no_longer_than_told_for_a_lock(database_url, connect, catalog, fresh_catalog, psql):
    before = fresh_catalog
    connect(autocommit=False).execute("LOCK TABLE lead_protection.leads IN ROW EXCLUSIVE MODE")
    done = psql(run_ok("sql"), database_url, "-v", "lock_timeout=100ms", "-v", "VERBOSITY=sqlstate", check=False)
    assert done.returncode == 3
    assert " 55P03" in done.stderr
    assert catalog(database_url) == before


def test_the_script_builds_indexes_concurrently_and_drops_leftovers(database_url, db, connect, tree, psql):
    build = "CREATE INDEX CONCURRENTLY IF NOT EXISTS extra ON lead_protection.leads (created_at);"
    (tree / "migrations" / "9998_build.sql").write_text(f"-- transactional: false\n{build}\n")
    (tree / "migrations" / "9999_more.sql").write_text("CREATE TABLE lead_protection.more (id int);\n")
    old = connect(autocommit=False)
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT FROM lead_protection.leads LIMIT 1")
    interrupted = connect()
    interrupted.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        interrupted.execute(build)
    old.rollback()
    psql(run_ok("sql", tree=tree), database_url)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'lead_protection.extra'::regclass"
    assert db.execute(valid).fetchone() == (True,)
    run_ok("status", "--database", database_url, tree=tree)


def test_sql_asks_no_database():
    assert run_ok("sql", env={"LEAD_PROTECTION_DATABASE_URL": ""}).startswith("-- Lead Protection ")
