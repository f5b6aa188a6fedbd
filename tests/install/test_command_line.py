"""The command line as a DBA uses it: a process, its exit status, its words, and the catalogs it leaves."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from helpers.calls import make_policy
from helpers.command_line import finish, line_of, run_cli, run_ok, start
from helpers.guards import but_by_night
from helpers.project import PROJECT, cases
from helpers.rows import fetch
from lead_protection.database import LOCKED_TABLE, try_apply_lock

pytestmark = pytest.mark.slow("installs, upgrades and rolls back whole databases")

MIGRATIONS = sorted(p.stem for p in (PROJECT / "migrations").glob("*.sql") if ".rollback" not in p.name)
RELEASED = (PROJECT / "migrations" / "released.sha256").read_text().split()[1::2]
VIEW = "sql/views/v_user_lead_protection.sql"


def add(path: Path, text: str) -> int:
    """Append a line to a file and return its number."""
    path.write_text(path.read_text().rstrip("\n") + f"\n{text}\n")
    return len(path.read_text().splitlines())


# ---------------------------------------------------------------- apply


def test_apply_shows_every_migration_and_leaves_a_complete_database(empty_database_url):
    output = run_ok("apply", "--database", empty_database_url)
    assert re.findall(r"(?m)^  (\d{4}_\w+) +ok +\d+ ms$", output) == MIGRATIONS
    assert re.search(r"(?m)^  sql/ \(\d+ files\) +ok +\d+ ms$", output)
    run_ok("status", "--database", empty_database_url)


def test_apply_twice_gives_identical_catalogs(database_url, catalog, fresh_catalog):
    before = fresh_catalog
    assert "CREATE VIEW lead_protection.v_user_lead_protection" in before
    output = run_ok("apply", "--database", database_url)
    assert "0 pending" in output
    assert catalog(database_url) == before


def test_apply_always_loads_sql(database_url, db):
    db.execute("DROP VIEW lead_protection.v_user_lead_protection CASCADE")
    run_ok("apply", "--database", database_url)
    db.execute("SELECT FROM lead_protection.v_user_lead_protection")


def test_every_sql_file_is_in_the_load_order():
    listed = re.findall(r"(?m)^\\ir (\S+)$", (PROJECT / "sql" / "load.sql").read_text())
    files = {str(p.relative_to(PROJECT / "sql")) for p in (PROJECT / "sql").rglob("*.sql") if "router" not in p.parts}
    assert sorted(listed) == sorted(files - {"load.sql", "unbind_rows.sql", "drop.sql", "roles.sql", "drop_roles.sql"})


@pytest.mark.thorough(
    "the same files, by psql",
    by_day="install/test_package.py::test_the_script_installs_what_apply_installs",
)
def test_sql_load_by_psql_gives_the_same_catalog(database_url, server, catalog, fresh_catalog):
    before = fresh_catalog
    dbname = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    server.psql("-1", "-f", str(PROJECT / "sql" / "drop.sql"), dbname=dbname)
    assert catalog(database_url) != before
    server.psql("-1", "-f", str(PROJECT / "sql" / "load.sql"), dbname=dbname)
    assert catalog(database_url) == before


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("SELECT\n\n    no_such_column;", "42703"),  # the server says where: two lines below the start
        ("COMMENT ON FUNCTION lead_protection.no_such() IS '';", "42883"),  # the server does not
        ("DO $$ BEGIN RAISE EXCEPTION 'stop' USING HINT = 'try again'; END $$;", "P0001"),
    ],
)
def test_broken_sql_file_leaves_the_old_objects_standing(
    database_url, db, tree, catalog, fresh_catalog, statement, sqlstate
):
    before = fresh_catalog
    add(tree / VIEW, "COMMENT ON VIEW lead_protection.v_user_lead_protection IS 'the new version';")
    line = add(tree / VIEW, statement)

    status, output = run_cli("apply", "--database", database_url, tree=tree)

    assert status == 1
    assert f"{VIEW}, line {line}:" in output
    assert f"ERROR {sqlstate}: " in output
    assert "the database is as it was before" in output
    if sqlstate == "P0001":
        assert "HINT: try again" in output
    assert catalog(database_url) == before


@pytest.mark.slow("all migrations once more")
def test_failing_migration_leaves_nothing_behind(empty_database_url, tree):
    # Before 0034, which is committed by itself.
    (tree / "migrations" / "0033_z_broken.sql").write_text(
        "-- A comment.\nCREATE TABLE lead_protection.half_done (id int);\n\nSELECT 1 / 0;\n"
    )
    status, output = run_cli("apply", "--database", empty_database_url, tree=tree)
    assert status == 1
    assert "migrations/0033_z_broken.sql, line 4:\n  ERROR 22012: " in output
    assert fetch(empty_database_url, "SELECT FROM pg_namespace WHERE nspname = 'lead_protection'") == []
    assert fetch(empty_database_url, "SELECT FROM pg_class WHERE relname LIKE '%yoyo%'") == []

    (tree / "migrations" / "0033_z_broken.sql").unlink()
    run_ok("apply", "--database", empty_database_url, tree=tree)


def test_non_transactional_migration_is_kept_when_a_later_one_fails(database_url, tree, db):
    (tree / "migrations" / "9998_index.sql").write_text(
        "-- transactional: false\nCREATE INDEX CONCURRENTLY extra ON lead_protection.leads (created_at);\n"
    )
    (tree / "migrations" / "9999_broken.sql").write_text("CREATE TABLE lead_protection.half (x no_such);\n")
    status, output = run_cli("apply", "--database", database_url, tree=tree)
    assert status == 1
    assert "committed before: 9998_index." in output
    assert db.execute("SELECT to_regclass('lead_protection.extra') IS NOT NULL").fetchone() == (True,)
    assert db.execute("SELECT to_regclass('lead_protection.half')").fetchone() == (None,)

    (tree / "migrations" / "9999_broken.sql").write_text("CREATE TABLE lead_protection.half (x int);\n")
    assert "1 pending" in run_ok("apply", "--database", database_url, tree=tree)


def test_notices_of_scripts_are_shown(database_url, tree):
    add(tree / VIEW, "DO $$ BEGIN RAISE WARNING 'look here'; RAISE DEBUG 'not here'; END $$;")
    output = run_ok("apply", "--database", database_url, tree=tree)
    assert "\n      WARNING: look here\n" in output
    assert "not here" not in output


def test_without_pg_cron_apply_says_that_nothing_runs_by_itself(database_url):
    output = run_ok("apply", "--database", database_url)
    assert "NOTICE: pg_cron is not in database" in output
    assert "schedule --cron-database NAME" in output


def test_edited_applied_migration_is_refused(database_url, tree, catalog, fresh_catalog):
    before = fresh_catalog
    edited = f"migrations/{MIGRATIONS[2]}.sql"
    add(tree / edited, "-- one more comment")
    add(tree / VIEW, "COMMENT ON VIEW lead_protection.v_user_lead_protection IS 'not to be loaded';")

    status, output = run_cli("apply", "--database", database_url, tree=tree)
    assert status == 1
    assert edited in output
    assert "new migration" in output
    assert catalog(database_url) == before

    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1
    assert re.search(rf"{MIGRATIONS[2]} +CHANGED", output)


def test_migration_without_a_checksum_gets_one(database_url, db):
    query = "SELECT migration_id, sha256 FROM lead_protection.migration_checksums ORDER BY 1"
    before = db.execute(query).fetchall()
    db.execute("DELETE FROM lead_protection.migration_checksums")
    run_ok("apply", "--database", database_url)
    assert db.execute(query).fetchall() == before


def test_package_older_than_the_database_is_refused(database_url, tree):
    (tree / "migrations" / "9999_newer.sql").write_text("CREATE TABLE lead_protection.newer (id int);\n")
    run_ok("apply", "--database", database_url, tree=tree)
    for command in (["apply"], ["rollback", "--yes"], ["status"]):
        status, output = run_cli(*command, "--database", database_url)
        assert status == 1
        assert "9999_newer" in output


@pytest.mark.thorough(
    "all migrations once more",
    by_day="install/test_package.py::test_the_command_line_takes_over_what_the_script_installed",
)
def test_another_program_that_uses_yoyo_is_left_alone(database_url, db):
    db.execute("INSERT INTO _yoyo_migration VALUES ('abc', 'their_migration', now())")
    run_ok("apply", "--database", database_url)
    run_ok("rollback", "--all", "--yes", "--database", database_url)
    assert db.execute("SELECT migration_id FROM _yoyo_migration").fetchall() == [("their_migration",)]


@pytest.mark.thorough(
    "all migrations once more",
    by_day="catalog/test_no_code_of_others.py::test_nothing_of_the_path_is_built_in_or_called_by_an_installation",
)
def test_search_path_with_our_schema_does_not_mislead_yoyo(database_url, db, catalog, fresh_catalog):
    before = fresh_catalog
    db.execute(f'ALTER DATABASE "{db.info.dbname}" SET search_path = lead_protection, public')
    run_ok("rollback", "--yes", "--database", database_url)
    assert "1 pending" in run_ok("apply", "--database", database_url)
    assert catalog(database_url) == before


@pytest.mark.slow("all migrations once more")
def test_owner_of_the_database_needs_not_be_superuser(empty_database_url, server):
    owner = f"owner_{os.getpid()}"
    dbname = psycopg.conninfo.conninfo_to_dict(empty_database_url)["dbname"]
    server.psql(f"CREATE ROLE {owner} LOGIN")
    try:
        server.psql(f"ALTER DATABASE {dbname} OWNER TO {owner}")
        url = psycopg.conninfo.make_conninfo(empty_database_url, user=owner)
        run_ok("apply", "--database", url)
        run_ok("status", "--database", url)
        run_ok("rollback", "--all", "--yes", "--database", url)
    finally:
        server.psql(f"ALTER DATABASE {dbname} OWNER TO postgres")
        with psycopg.connect(empty_database_url) as connection:
            connection.execute(f"DROP OWNED BY {owner} CASCADE")
        server.psql(f"DROP ROLE {owner}")


# ---------------------------------------------------------------- plain yoyo


@pytest.mark.thorough(
    "all migrations by another program",
    by_day="install/test_migrations.py::test_a_migration_is_taken_apart_as_yoyo_does"
    " install/test_package.py::test_the_command_line_takes_over_what_the_script_installed",
)
def test_plain_yoyo_apply_gives_the_same_system(empty_database_url, database_url, catalog, fresh_catalog):
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")
    done = subprocess.run(
        [sys.executable, "-m", "yoyo", "apply", "--database", url],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert catalog(empty_database_url) == fresh_catalog
    checksums = "SELECT migration_id, sha256 FROM lead_protection.migration_checksums ORDER BY 1"
    assert fetch(empty_database_url, checksums) == fetch(database_url, checksums)
    operations = "SELECT * FROM lead_protection.help_operations ORDER BY position"
    assert fetch(empty_database_url, operations) == fetch(database_url, operations) != []
    run_ok("status", "--database", url)
    assert "0 pending" in run_ok("apply", "--database", url)


# ---------------------------------------------------------------- one at a time


@pytest.mark.slow("all migrations one by one, or twice")
def test_concurrent_applies_wait_for_each_other(empty_database_url):
    both = [start("apply", "--database", empty_database_url) for _ in range(2)]
    for status, output in map(finish, both):
        assert status == 0, output
    applied = "SELECT migration_id FROM _yoyo_log WHERE operation = 'apply' ORDER BY 1"
    assert fetch(empty_database_url, applied) == [(name,) for name in MIGRATIONS]


@pytest.mark.slow("processes that wait for each other")
@pytest.mark.parametrize(
    "command",
    but_by_night(
        [["apply"], ["rollback", "--yes"]],
        [["apply"]],
        "the same lock, asked for by another command",
        "install/test_command_line.py::test_the_lock_is_waited_for",
    ),
)
def test_the_lock_is_waited_for(database_url, connect, command):
    holder = connect(autocommit=False, application_name="other apply")
    assert try_apply_lock(holder)
    process = start(*command, "--database", database_url)
    line_of(process)  # where it connected to
    told = line_of(process)
    assert told.startswith("Waiting for another apply")
    assert f"pid {holder.info.backend_pid}, postgres (other apply)" in told
    assert process.poll() is None
    holder.rollback()
    status, output = finish(process)
    assert status == 0, output


def test_nobody_else_can_keep_apply_waiting(database_url, connect):
    """0.4.0 waited for an advisory lock, which anybody may take who may connect."""
    others = connect()
    others.execute("SET SESSION AUTHORIZATION lead_protection_operator")
    others.execute("SELECT pg_advisory_lock(x'6C65616470726F74'::bigint)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        others.execute(f"BEGIN; LOCK TABLE {LOCKED_TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
    others.execute("ROLLBACK")
    others.execute(f"BEGIN; LOCK TABLE {LOCKED_TABLE} IN ACCESS SHARE MODE; SELECT * FROM {LOCKED_TABLE}")
    assert "Waiting" not in run_ok("apply", "--database", database_url)


@pytest.mark.slow("all migrations once more")
def test_a_killed_apply_leaves_no_lock(database_url, db, connect, wait_until):
    blocker = connect(autocommit=False)
    blocker.execute("LOCK TABLE lead_protection.leads IN ACCESS SHARE MODE")
    blocker.execute("LOCK TABLE lead_protection.leads IN ROW EXCLUSIVE MODE")
    process = start("apply", "--database", database_url)
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'lead-protection'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    wait_until(lambda: db.execute(waiting).fetchall(), timeout=30, what="apply waits for the table")
    process.send_signal(signal.SIGKILL)
    finish(process)
    blocker.rollback()
    run_ok("apply", "--database", database_url)


# ---------------------------------------------------------------- status


def test_status_of_an_empty_database_is_1_and_writes_nothing(empty_database_url):
    status, output = run_cli("status", "--database", empty_database_url)
    assert status == 1
    assert "Not installed" in output
    assert fetch(empty_database_url, "SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_status_of_a_complete_database_is_0(database_url, db):
    db.execute("INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (1, 7, now())")
    output = run_ok("status", "--database", database_url)
    assert re.search(rf"(?m)^Migrations\n  {len(MIGRATIONS)} applied\n  sql/ +loaded\n\n", output)
    assert re.search(r"(?m)^  PROTECTED +1 +0$", output)


def test_status_with_something_pending_is_1(database_url, tree):
    (tree / "migrations" / "9999_more.sql").write_text("SELECT 1;\n")
    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1
    assert re.search(rf"(?m)^  {len(MIGRATIONS)} applied\n  9999_more +pending\n  sql/ ", output)


def test_status_names_what_a_newer_version_applied(database_url, tree):
    (tree / "migrations" / f"{MIGRATIONS[-1]}.sql").unlink()
    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1
    assert re.search(
        rf"(?m)^  {len(MIGRATIONS) - 1} applied\n  {MIGRATIONS[-1]} +applied by a newer version\n  sql/ ", output
    )


def last_runs(output: str) -> list[list[str]]:
    """That section of what `status` prints, by its columns."""
    (section,) = re.findall(r"(?ms)^Last run of each job\n(.*?)\n\n", output)
    return [re.split(r"  +", line.strip()) for line in section.splitlines()]


@pytest.mark.parametrize(
    ("zone", "started", "finished"),
    [
        ("Europe/Berlin", "2025-07-01 01:59:59", "2025-07-01 02:00:00"),
        ("America/New_York", "2025-06-30 19:59:59", "2025-06-30 20:00:00"),
        (None, "2025-06-30 23:59:59", "2025-07-01 00:00:00"),
    ],
)
def test_status_shows_times_in_the_zone_of_the_default_policy_and_results_as_json(
    database_url, db, zone, started, finished
):
    db.execute(f"""ALTER DATABASE "{db.info.dbname}" SET TimeZone = 'Asia/Kolkata'""")
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    if zone:
        policy_id = make_policy(db, "of the zone", time_zone=zone)
        db.execute("SELECT lead_protection.set_default_policy(%s, 1)", [policy_id])
    db.execute(
        "INSERT INTO lead_protection.job_runs (job_name, backend_pid, started_at, finished_at, outcome, result)"
        " VALUES ('lead-protection-reminders', 1, '2025-06-30 23:59:59.999999Z', '2025-07-01 00:00:00.000001Z',"
        """ 'succeeded', '{"told": true, "names": ["Zoë"], "nothing": null, "reminders": 1}')"""
    )
    output = run_ok("status", "--database", database_url)
    told = f"{zone}, the zone of the default policy" if zone else "UTC: no default policy is to be seen"
    assert output.count(f"Times are in {told}.\n") == 1
    names, _, row = last_runs(output)
    assert dict(zip(names, row, strict=False)) == {
        "job_name": "lead-protection-reminders",
        "started_at": started,
        "finished_at": finished,
        "outcome": "succeeded",
        "result": '{"told": true, "names": ["Zoë"], "nothing": null, "reminders": 1}',
    }


def test_status_with_another_sql_is_1(database_url, tree):
    add(tree / VIEW, "-- changed")
    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1
    assert re.search(r"sql/ +differs", output)


def test_a_changed_runbook_is_another_code_and_is_loaded_anew(database_url, tree):
    title = "SELECT title FROM lead_protection.help_operations WHERE title LIKE 'A job %' ORDER BY 1"
    page = tree / "docs" / "runbook.md"
    page.write_text(page.read_text().replace("## A job fails\n", "## A job does not work\n"))
    status, output = run_cli("status", "--database", database_url, tree=tree)
    assert status == 1 and re.search(r"sql/ +differs", output)
    run_ok("apply", "--database", database_url, tree=tree)
    run_ok("status", "--database", database_url, tree=tree)
    assert fetch(database_url, title) == [("A job does not work",), ("A job run hangs or is abandoned",)]


@pytest.mark.parametrize(("no_color", "painted"), [("", True), ("1", False)])
def test_status_shows_health_in_colour_on_a_terminal_only(database_url, no_color, painted):
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    terminal, stdout = pty.openpty()
    process = start("status", "--database", database_url, stdout=stdout, env={"NO_COLOR": no_color})
    os.close(stdout)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
    assert process.wait(60) == 0
    os.close(terminal)
    words = ("\x1b[31mcritical\x1b[0m", "\x1b[32mok      \x1b[0m") if painted else ("critical", "ok      ")
    assert re.search(rf"(?m)^  {re.escape(words[0])}  policies +there is no default", shown.decode())
    assert re.search(rf"(?m)^  {re.escape(words[1])}  paused +not paused", shown.decode())
    assert "-> runbook: There is no default policy" in shown.decode()
    assert ("\x1b[" in shown.decode()) is painted
    assert "\x1b[" not in run_ok("status", "--database", database_url)


# ---------------------------------------------------------------- help


def test_help_prints_the_steps_of_the_section_that_answers(database_url):
    output = run_ok("help", "--database", database_url, "the", "job", "failed", "with", "permission", "denied")
    assert output.startswith("A job fails\n  A run ended with an error.")
    assert "\n  1. `error` is SQLSTATE and message:\n     -- operator\n     SELECT id, job_name, started_at" in output
    german = run_ok("help", "--database", database_url, "aktivitaet fehlt")
    assert german.startswith("Eine Aktivität fehlt oder ist falsch\n")
    assert "-- put in yours first: \\set lead_id …" in german


def test_help_before_apply_says_so(empty_database_url):
    status, output = run_cli("help", "--database", empty_database_url, "no reminder was sent")
    assert status == 1 and "run apply first" in output


# ---------------------------------------------------------------- rollback


@pytest.mark.slow("all migrations once more")
def test_rollback_all_and_apply_gives_identical_catalogs(database_url, catalog, fresh_catalog):
    before = fresh_catalog
    run_ok("rollback", "--all", "--yes", "--database", database_url)
    assert catalog(database_url) == ""
    run_ok("apply", "--database", database_url)
    assert catalog(database_url) == before


@pytest.mark.thorough(
    "all migrations one by one",
    by_day="install/test_command_line.py::test_rollback_all_and_apply_gives_identical_catalogs",
)
def test_rollback_step_by_step_and_apply_gives_identical_catalogs(database_url, catalog, fresh_catalog):
    """One by one those that are not released yet; of what is frozen, some at once will do."""
    before, steps = fresh_catalog, cases(1, usual=5, fast=5)
    new, old = MIGRATIONS[len(RELEASED) :][::-1], MIGRATIONS[: len(RELEASED)][::-1]
    for names in [[name] for name in new] + [old[at : at + steps] for at in range(0, len(old), steps)]:
        output = run_ok("rollback", "--steps", str(len(names)), "--yes", "--database", database_url)
        assert all(name in output for name in names)
    assert "Nothing is applied" in run_ok("rollback", "--yes", "--database", database_url)
    run_ok("apply", "--database", database_url)
    assert catalog(database_url) == before


def test_rollback_forgets_the_checksum(database_url, db, tree):
    run_ok("rollback", "--steps", "2", "--yes", "--database", database_url)
    known = db.execute("SELECT migration_id FROM lead_protection.migration_checksums ORDER BY 1").fetchall()
    assert known == [(name,) for name in MIGRATIONS[:-2]]
    add(tree / "migrations" / f"{MIGRATIONS[-1]}.sql", "-- edited while it was not applied")
    run_ok("apply", "--database", database_url, tree=tree)
    run_ok("status", "--database", database_url, tree=tree)


def test_rollback_without_yes_is_refused_when_not_on_a_terminal(database_url, catalog, fresh_catalog):
    before = fresh_catalog
    status, output = run_cli("rollback", "--database", database_url)
    assert status == 2
    assert "--yes" in output
    assert catalog(database_url) == before


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("\n", 1)])
def test_rollback_asks_on_a_terminal(database_url, answer, status):
    terminal, stdin = pty.openpty()
    process = start("rollback", "--database", database_url, stdin=stdin)
    os.write(terminal, answer.encode())
    assert finish(process)[0] == status
    os.close(stdin)
    os.close(terminal)
    assert run_cli("status", "--database", database_url)[0] == (0 if status else 1)


def test_rollback_stops_at_what_others_built_on_our_views(database_url, db, catalog):
    db.execute("CREATE VIEW public.report AS SELECT * FROM lead_protection.v_user_lead_protection")
    before = catalog(database_url)
    status, output = run_cli("rollback", "--all", "--yes", "--database", database_url)
    assert status == 1
    assert re.search(r"public\.report .* lead_protection\.v_user_lead_protection", output)
    assert catalog(database_url) == before


def test_rollback_without_a_rollback_file_is_refused(database_url, tree):
    (tree / "migrations" / f"{MIGRATIONS[-1]}.rollback.sql").unlink()
    status, output = run_cli("rollback", "--yes", "--database", database_url, tree=tree)
    assert status == 1
    assert f"{MIGRATIONS[-1]}.rollback.sql" in output


def test_failing_rollback_leaves_everything_standing(database_url, tree, catalog, fresh_catalog):
    before = fresh_catalog
    line = add(tree / "migrations" / f"{MIGRATIONS[-2]}.rollback.sql", "SELECT 1 / 0;")
    status, output = run_cli("rollback", "--all", "--yes", "--database", database_url, tree=tree)
    assert status == 1
    assert f"migrations/{MIGRATIONS[-2]}.rollback.sql, line {line}:" in output
    assert "the database is as it was before" in output
    assert catalog(database_url) == before


def test_drop_script_leaves_the_data(database_url, db):
    objects = """
        SELECT 'table ' || relname FROM pg_class
        WHERE relnamespace = 'lead_protection'::regnamespace AND relkind IN ('r', 'S', 'c', 'i')
        UNION ALL
        SELECT 'check ' || conname FROM pg_constraint WHERE connamespace = 'lead_protection'::regnamespace
        ORDER BY 1"""
    code = """
        SELECT proname FROM pg_proc WHERE pronamespace = 'lead_protection'::regnamespace
        UNION ALL
        SELECT relname FROM pg_class WHERE relnamespace = 'lead_protection'::regnamespace AND relkind = 'v'"""
    before = db.execute(objects).fetchall()
    assert db.execute(code).fetchall()
    db.execute((PROJECT / "sql" / "drop.sql").read_text())
    assert db.execute(code).fetchall() == []
    assert db.execute(objects).fetchall() == before


# ---------------------------------------------------------------- schedule


def test_schedule_without_pg_cron_says_what_to_do(database_url):
    for command in ("schedule", "unschedule"):
        status, output = run_cli(command, "--database", database_url)
        assert status == 1
        assert "ERROR LP014" in output
        assert "HINT: " in output


def test_schedule_from_a_database_without_pg_cron_says_so(database_url, empty_database_url):
    status, output = run_cli("schedule", "--database", database_url, "--cron-database", empty_database_url)
    assert status == 1
    assert "ERROR LP014" in output


def test_schedule_before_apply_says_so(empty_database_url):
    status, output = run_cli("schedule", "--database", empty_database_url)
    assert status == 1
    assert "run apply first" in output


def test_schedule_and_unschedule_from_the_cron_database(database_url, db, cron, server):
    jobs = "SELECT jobname FROM cron.job WHERE database = %s ORDER BY 1"
    expected = [("lead-protection-follow",), ("lead-protection-nightly",), ("lead-protection-reminders",)]
    for cron_database in ("postgres", server.url()):
        command = ["--database", database_url, "--cron-database", cron_database]
        output = run_ok("schedule", *command)
        assert "lead-protection-reminders" in output
        assert cron.execute(jobs, [db.info.dbname]).fetchall() == expected
        assert "lead-protection-reminders" in run_ok("unschedule", *command)
        assert cron.execute(jobs, [db.info.dbname]).fetchall() == []


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("command", ["apply", "status", "rollback", "schedule", "unschedule"])
def test_missing_database_is_a_usage_error(command):
    status, output = run_cli(command)
    assert status == 2
    assert "LEAD_PROTECTION_DATABASE_URL" in output


def test_database_from_the_environment(database_url):
    run_ok("status", env={"LEAD_PROTECTION_DATABASE_URL": database_url})


def test_conninfo_string_is_taken(database_url):
    run_ok("status", "--database", psycopg.conninfo.make_conninfo(database_url))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://somebody:s3cr3t-word@localhost:1/nowhere",
        "postgresql://somebody:at@s3cr3t-word@localhost:1/nowhere",
        "postgresql://somebody:s3cr3t-word/slash@localhost:1/nowhere",
        "postgresql://somebody:s3cr3t-word@localhost:not_a_port/nowhere",
        "host=localhost password=s3cr3t-word nonsense",
        "s3cr3t-word",
    ],
)
def test_password_is_never_printed_on_failure(url):
    status, output = run_cli("status", "--database", url)
    assert status in (1, 2)
    assert "lead-protection: " in output
    assert "s3cr3t-word" not in output
    assert "Traceback" not in output


def test_password_is_never_printed_on_success(database_url, tree):
    url = psycopg.conninfo.make_conninfo(database_url, password="s3cr3t-word")
    add(tree / VIEW, "SELECT 1 / 0;")
    for command, expected in ((["apply"], 1), (["status"], 1), (["rollback", "--yes"], 0)):
        status, output = run_cli(*command, "--database", url, tree=tree)
        assert status == expected, output
        assert "s3cr3t-word" not in output
