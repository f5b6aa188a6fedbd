"""apply on a live database: it waits for locks with patience, says what it would do, and repairs broken indexes."""

import re
import threading

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from helpers.command_line import finish, line_of, run_cli, run_ok, start
from helpers.project import PROJECT
from lead_protection import installer

pytestmark = pytest.mark.slow("installs whole databases")

BUILD = (
    "-- transactional: false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS extra ON lead_protection.leads (created_at);\n"
)
INVALID = (
    "SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
    " WHERE NOT (i.indisvalid AND i.indisready) ORDER BY 1"
)


@pytest.fixture
def blocker(connect) -> psycopg.Connection:
    """A connection in whose transaction leads cannot be changed in its definition."""
    blocker = connect(autocommit=False, application_name="long report")
    blocker.execute("LOCK TABLE lead_protection.leads IN ROW EXCLUSIVE MODE")
    return blocker


def lines_until(process, wanted: str) -> list[str]:
    """What a command prints, up to the line that begins with `wanted`."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.strip().startswith(wanted):
            return lines
    pytest.fail(f"it never said {wanted!r}:\n{''.join(lines)}")


def start_build(url: str) -> threading.Thread:
    """Build an index by hand, in a thread."""

    def build() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(BUILD.splitlines()[1])

    thread = threading.Thread(target=build, daemon=True)
    thread.start()
    return thread


# ---------------------------------------------------------------- locks


@pytest.mark.slow("it waits for locks")
def test_a_lock_that_is_not_to_be_had_is_tried_again(database_url, blocker, catalog, fresh_catalog):
    before = fresh_catalog
    process = start("apply", "--lock-timeout", "200ms", "--retries", "20", "--database", database_url)
    first = lines_until(process, "In the way:")
    assert "Undone: the database is as it was before.\n" in first
    told = line_of(process)
    assert f"pid {blocker.info.backend_pid}, postgres (long report), idle in transaction" in told
    assert "LOCK TABLE lead_protection.leads" in told
    assert line_of(process) == "Attempt 2 of 21 in 1 s.\n"
    blocker.rollback()
    status, output = finish(process)
    assert status == 0, output
    assert catalog(database_url) == before


@pytest.mark.slow("it waits for locks")
def test_after_the_last_attempt_apply_says_who_was_in_the_way_and_nothing_has_changed(
    database_url, db, blocker, tree, catalog, fresh_catalog
):
    before = fresh_catalog
    (tree / "migrations" / "9999_more.sql").write_text("CREATE TABLE lead_protection.more (id int);\n")
    status, output = run_cli(
        "apply", "--lock-timeout", "200ms", "--retries", "1", "--database", database_url, tree=tree
    )
    assert status == 1
    assert output.count("In the way:\n") == 2
    assert "Gave up after 2 attempts." in output
    assert "ERROR 55P03: " in output
    assert f"pid {blocker.info.backend_pid}, " in output
    assert catalog(database_url) == before
    assert db.execute("SELECT count(*) FROM _yoyo_migration WHERE migration_id = '9999_more'").fetchone() == (0,)


def test_retries_0_is_one_attempt(database_url, blocker):
    status, output = run_cli("apply", "--lock-timeout", "100ms", "--retries", "0", "--database", database_url)
    assert status == 1
    assert "Gave up after 1 attempts." in output


def test_an_error_that_is_no_lock_is_not_tried_again(database_url, tree):
    (tree / "migrations" / "9999_broken.sql").write_text("SELECT 1 / 0;\n")
    status, output = run_cli("apply", "--database", database_url, tree=tree)
    assert status == 1
    assert output.count("9999_broken") == 2  # the step and the error
    assert "Attempt" not in output


@pytest.mark.parametrize("argument", ["3", "-1s", "3 s", "soon", ""])
def test_a_lock_timeout_has_a_unit(argument):
    status, output = run_cli("apply", f"--lock-timeout={argument}", "--database", "dbname=nowhere")
    assert status == 2
    assert "unit" in output


# ---------------------------------------------------------------- dry run


@pytest.mark.slow("all migrations once more")
def test_dry_run_prints_the_sql_that_gives_the_catalog_and_changes_nothing(
    empty_database_url, server, catalog, fresh_catalog
):
    output = run_ok("apply", "--dry-run", "--database", empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        made = "SELECT relname FROM pg_class WHERE relname LIKE '%yoyo%' UNION ALL SELECT nspname FROM pg_namespace"
        assert [row for row in connection.execute(made) if "lead" in row[0] or "yoyo" in row[0]] == []
    server.psql("-f", "-", dbname=conninfo_to_dict(empty_database_url)["dbname"], stdin=output)
    assert catalog(empty_database_url) == fresh_catalog


def test_dry_run_prints_only_what_is_pending(database_url, tree, catalog, fresh_catalog):
    before = fresh_catalog
    output = run_ok("apply", "--dry-run", "--database", database_url, tree=tree)
    assert re.findall(r"(?m)^(?!--|$).+", output) == []
    (tree / "migrations" / "9998_build.sql").write_text(BUILD)
    (tree / "migrations" / "9999_more.sql").write_text("-- More.\nCREATE TABLE lead_protection.more (id int);\n")
    output = run_ok("apply", "--dry-run", "--database", database_url, tree=tree)
    unbind = (tree / "sql" / "unbind_rows.sql").read_text()
    assert unbind in output
    assert re.findall(r"(?m)^(?!--|$).+", output.replace(unbind, "")) == [
        "SET search_path = pg_catalog, pg_temp;",
        BUILD.splitlines()[1],
        "BEGIN;",
        "CREATE TABLE lead_protection.more (id int);",
        "COMMIT;",
    ]
    with (tree / "sql" / "obsolete.sql").open("a") as file:
        file.write("SELECT 'the code differs';\n")
    output = run_ok("apply", "--dry-run", "--database", database_url, tree=tree)
    assert "\n-- sql/obsolete.sql\n" in output and "SELECT 'the code differs';\n" in output
    assert catalog(database_url) == before


def test_dry_run_refuses_what_apply_would_refuse(database_url, tree):
    with (tree / "migrations" / "0003_leads.sql").open("a") as file:
        file.write("-- edited\n")
    status, output = run_cli("apply", "--dry-run", "--database", database_url, tree=tree)
    assert status == 1
    assert "migrations/0003_leads.sql" in output and "BEGIN" not in output


# ---------------------------------------------------------------- indexes


@pytest.mark.slow("indexes are built, interrupted and built again")
def test_an_interrupted_build_of_an_index_is_shown_and_repaired(database_url, db, connect, tree, wait_until):
    db.execute("INSERT INTO lead_protection.leads (user_id) SELECT g % 100 FROM generate_series(1, 20000) AS g")
    (tree / "migrations" / "9998_build.sql").write_text(BUILD)
    old = connect(autocommit=False)
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT FROM lead_protection.leads LIMIT 1")

    # It waits for the old transaction, past any lock_timeout, and nobody waits for it.
    process = start("apply", "--lock-timeout", "100ms", "--database", database_url, tree=tree)
    assert f"pid {old.info.backend_pid}, postgres" in lines_until(process, "waits for")[-1]
    db.execute("SET lock_timeout = '1s'")
    db.execute("INSERT INTO lead_protection.leads (user_id) VALUES (7)")
    building = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
        " AND datname = current_database() AND wait_event = 'virtualxid'"
    )
    wait_until(lambda: db.execute(building).fetchone() == (True,), what="the build is cancelled while it waits")
    status, output = finish(process)
    assert status == 1
    assert "ERROR 57014" in output
    assert db.execute(INVALID).fetchall() == [("extra",)]

    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1
    assert "index        lead_protection.extra is INVALID" in output
    assert "which runs: DROP INDEX CONCURRENTLY lead_protection.extra;" in output
    plan = run_ok("apply", "--dry-run", "--database", database_url, tree=tree)
    assert "\nDROP INDEX CONCURRENTLY lead_protection.extra;\n" in plan

    old.rollback()
    output = run_ok("apply", "--database", database_url, tree=tree)
    assert re.search(r"(?m)^  INVALID index lead_protection\.extra +ok", output)
    assert re.search(r"(?m)^  9998_build +ok", output)
    assert db.execute(INVALID).fetchall() == []
    assert db.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'extra'").fetchall() == [
        ("CREATE INDEX extra ON lead_protection.leads USING btree (created_at)",)
    ]
    assert "INVALID" not in run_ok("status", "--database", database_url, tree=tree)


@pytest.mark.slow("indexes are built, interrupted and built again")
def test_a_finished_build_that_was_not_booked_is_not_built_twice(database_url, db, tree):
    """The process was killed between the build and its entry in the books."""
    (tree / "migrations" / "9998_build.sql").write_text(BUILD)
    db.execute(BUILD.splitlines()[1])
    built = db.execute("SELECT 'lead_protection.extra'::regclass::oid").fetchone()
    run_ok("apply", "--database", database_url, tree=tree)
    assert db.execute("SELECT 'lead_protection.extra'::regclass::oid").fetchone() == built


@pytest.mark.slow("indexes are built, interrupted and built again")
def test_an_invalid_index_of_an_applied_migration_is_rebuilt_in_place(database_url, db, catalog, fresh_catalog):
    before = fresh_catalog
    name = "outbox_events_pkey"
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [f"lead_protection.{name}"])
    assert f"REINDEX INDEX CONCURRENTLY lead_protection.{name};" in run_ok("status", "--database", database_url)
    run_ok("apply", "--database", database_url)
    assert db.execute(INVALID).fetchall() == []
    assert catalog(database_url) == before


@pytest.mark.thorough(
    "one more index that is INVALID",
    by_day="install/test_apply.py::test_an_interrupted_build_of_an_index_is_shown_and_repaired"
    " install/test_apply.py::test_a_build_that_is_still_at_work_is_waited_for_and_kept",
)
def test_the_copy_that_an_interrupted_reindex_left_is_dropped(
    database_url, db, connect, catalog, fresh_catalog, wait_until
):
    before = fresh_catalog
    old = connect(autocommit=False)
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT FROM lead_protection.leads LIMIT 1")
    rebuilding = connect()
    rebuilding.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        rebuilding.execute("REINDEX INDEX CONCURRENTLY lead_protection.leads_pkey")
    assert db.execute(INVALID).fetchall() == [("leads_pkey_ccnew",)]
    old.rollback()
    run_ok("apply", "--database", database_url)
    assert db.execute(INVALID).fetchall() == []
    assert catalog(database_url) == before


@pytest.mark.thorough(
    "one more index that is INVALID",
    by_day="install/test_apply.py::test_an_interrupted_build_of_an_index_is_shown_and_repaired"
    " install/test_apply.py::test_a_build_that_is_still_at_work_is_waited_for_and_kept",
)
def test_an_invalid_index_of_somebody_else_is_left_alone(database_url, db):
    db.execute("CREATE TABLE public.theirs AS SELECT 1 AS id UNION ALL SELECT 1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.execute("CREATE UNIQUE INDEX CONCURRENTLY theirs_once ON public.theirs (id)")
    assert "INVALID" not in run_ok("status", "--database", database_url)
    run_ok("apply", "--database", database_url)
    assert db.execute(INVALID).fetchall() == [("theirs_once",)]


@pytest.mark.slow("indexes are built, interrupted and built again")
def test_a_build_that_is_still_at_work_is_waited_for_and_kept(database_url, db, connect, tree, wait_until):
    """A DBA builds by hand what the migration would: INVALID for as long as that lasts, but no leftover."""
    (tree / "migrations" / "9998_build.sql").write_text(BUILD)
    old = connect(autocommit=False)
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT FROM lead_protection.leads LIMIT 1")
    build = start_build(database_url)
    wait_until(lambda: db.execute(INVALID).fetchall() == [("extra",)], what="the build has begun")
    being_built = db.execute("SELECT 'lead_protection.extra'::regclass::oid").fetchone()
    process = start("apply", "--database", database_url, tree=tree)
    lines_until(process, "waits for")
    old.rollback()
    status, output = finish(process)
    assert status == 0, output
    build.join(30)
    assert db.execute(INVALID).fetchall() == []
    assert db.execute("SELECT 'lead_protection.extra'::regclass::oid").fetchone() == being_built


@pytest.mark.thorough(
    "one more index that is INVALID",
    by_day="install/test_apply.py::test_an_interrupted_build_of_an_index_is_shown_and_repaired"
    " install/test_apply.py::test_a_build_that_is_still_at_work_is_waited_for_and_kept",
)
def test_a_build_that_has_let_its_lock_go_and_not_committed_is_kept(database_url, db, connect, tree):
    """PostgreSQL unlocks the table before the transaction ends in which the index becomes valid."""
    (tree / "migrations" / "9998_build.sql").write_text(BUILD)
    db.execute(BUILD.splitlines()[1])
    built = db.execute("SELECT 'lead_protection.extra'::regclass::oid").fetchone()
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'lead_protection.extra'::regclass")
    build = connect(autocommit=False)
    build.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'lead_protection.extra'::regclass")
    process = start("apply", "--database", database_url, tree=tree)
    lines_until(process, "waits for")
    build.commit()
    status, output = finish(process)
    assert status == 0, output
    assert db.execute(INVALID).fetchall() == []
    assert db.execute("SELECT 'lead_protection.extra'::regclass::oid").fetchone() == built


# ---------------------------------------------------------------- statements


def test_a_file_of_the_code_is_taken_apart_where_a_statement_begins():
    function = "CREATE FUNCTION f()\nAS $$\nDELETE FROM a;\n\nSELECT 1;\n$$;"
    atomic = "CREATE FUNCTION g()\nBEGIN ATOMIC\n    SELECT 1;\nEND;"
    returned = "CREATE FUNCTION h()\n-- A comment; with a semicolon.\nRETURN 1;"
    block = "DO $x$\nDECLARE\n    n int;\nBEGIN\n    NULL;\nEXCEPTION WHEN others THEN\n    NULL;\nEND\n$x$;"
    comment = "COMMENT ON FUNCTION f() IS\n'DROP it;\n    or not';"
    text = f"-- What it is.\n{function}\n\n{atomic}\n-- why\n\n{returned}  -- noqa: CP03\n{block}\n{comment}\n"
    found = installer.statements(text)
    for statement, wanted in zip(found, (function, atomic, returned, block, comment), strict=True):
        assert statement.startswith(wanted)


def test_each_statement_of_the_code_begins_with_its_verb():
    verbs = {
        statement.split()[0]
        for path in installer.load_order(PROJECT)
        for statement in installer.statements(path.read_text())
    }
    assert verbs <= {"CREATE", "COMMENT", "DROP", "DO", "REVOKE", "GRANT", "INSERT", "UPDATE", "DELETE", "ALTER", "SET"}
