"""Real pg_cron fires the jobs: in its own database, and from there in another, as an ordinary role."""

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from psycopg import sql

from helpers.command_line import run_cli, run_ok
from helpers.facts import REMINDER_DUE, events, insert_lead_of_age
from helpers.own_server import OwnServer
from helpers.project import PROJECT
from helpers.server import Server, server_directory

pytestmark = pytest.mark.slow("installs in pg_cron's own database")

FOLLOW, REMINDERS, NIGHTLY = "lead-protection-follow", "lead-protection-reminders", "lead-protection-nightly"
HISTORY = "lead-protection-cron-history"
ROLE = "test_scheduler"
CRON_JOBS = "SELECT status, found FROM lead_protection.health WHERE check_name = 'cron_jobs'"


@pytest.fixture(scope="module")
def applied_in_cron_database(server) -> Iterator[None]:
    """Everything is applied to pg_cron's own database, for the tests of this file only."""
    run_ok("apply", "--database", server.url())
    yield
    run_ok("rollback", "--all", "--yes", "--database", server.url())


@pytest.fixture
def in_cron_database(applied_in_cron_database, cron) -> Iterator[psycopg.Connection]:
    """A connection to pg_cron's own database, to which everything was applied; the tests schedule jobs and run none."""
    yield cron
    cron.execute("SELECT cron.unschedule(jobid) FROM cron.job")
    assert cron.execute("SELECT FROM lead_protection.outbox_events").fetchall() == []
    assert cron.execute("SELECT FROM lead_protection.job_runs").fetchall() == []


@pytest.fixture
def scheduler(cron) -> Iterator[str]:
    """A login role that may run the jobs, and whom the admin allows to use pg_cron from its database."""
    cron.execute(f"CREATE ROLE {ROLE} LOGIN IN ROLE lead_protection_jobs")
    cron.execute(f"GRANT USAGE ON SCHEMA cron TO {ROLE}")
    cron.execute(f"GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO {ROLE}")
    yield ROLE
    # A role that owns jobs must not go before them.
    cron.execute("SELECT cron.unschedule(jobid) FROM cron.job")
    cron.execute("DELETE FROM cron.job_run_details WHERE username = %s", (ROLE,))
    cron.execute(f"DROP OWNED BY {ROLE}")
    cron.execute(f"DROP ROLE {ROLE}")


def has_run_both_jobs(db: psycopg.Connection, cron: psycopg.Connection) -> bool:
    """Whether pipeline and night have succeeded in a database; without pg_cron's launcher it fails at once."""
    runs = db.execute("SELECT job_name, outcome, error, result FROM lead_protection.job_runs ORDER BY id").fetchall()
    launchers = cron.execute("SELECT FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher'").rowcount
    assert launchers == 1, (runs, cron.execute("SELECT * FROM cron.job_run_details").fetchall())
    return {job for job, outcome, *_ in runs if outcome == "succeeded"} >= {NIGHTLY, REMINDERS}


def jobs(cron) -> dict:
    """What pg_cron has: name to schedule, database and role."""
    rows = cron.execute("SELECT jobname, schedule, database, username FROM cron.job ORDER BY jobname").fetchall()
    return {row[0]: row[1:] for row in rows}


@pytest.fixture
def cron_server(cron) -> Iterator[Server]:
    """A server of its own, with pg_cron in `postgres`: what other tests do to their launcher is not met here.

    `cron` skips where pg_cron cannot be had.
    """
    with server_directory() as directory:
        server = OwnServer(directory).server
        server.psql("CREATE EXTENSION pg_cron")
        server.psql("CREATE DATABASE crm")
        for dbname in ("crm", "postgres"):
            run_ok("apply", "--database", server.url(dbname))
        server.psql(
            f"CREATE ROLE {ROLE} LOGIN IN ROLE lead_protection_jobs; GRANT USAGE ON SCHEMA cron TO {ROLE};"
            f" GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO {ROLE}"
        )
        yield server


@pytest.mark.slow("a server of its own, and a minute of pg_cron")
def test_pg_cron_sends_the_reminder(cron_server, wait_until):
    """The scheduled job, in both places at once; only its schedule is tightened to every minute, to spare the wait."""
    own, name = "postgres", "crm"
    run_ok("schedule", "--database", cron_server.url())
    as_scheduler = [cron_server.url(dbname).replace("postgres@", f"{ROLE}@") for dbname in (name, own)]
    run_ok("schedule", "--database", as_scheduler[0], "--cron-database", as_scheduler[1])
    with (
        psycopg.connect(cron_server.url(), autocommit=True) as cron,
        psycopg.connect(cron_server.url(name), autocommit=True) as db,
    ):
        assert cron.execute(
            "SELECT jobname, username, database, schedule FROM cron.job ORDER BY 1, 2",
        ).fetchall() == [
            (HISTORY, own, own, "47 1 * * *"),
            (HISTORY, ROLE, own, "47 1 * * *"),
            (FOLLOW, own, own, "* * * * *"),
            (FOLLOW, ROLE, name, "* * * * *"),
            (NIGHTLY, own, own, "17 1 * * *"),
            (NIGHTLY, ROLE, name, "17 1 * * *"),
            (REMINDERS, own, own, "*/5 * * * *"),
            (REMINDERS, ROLE, name, "*/5 * * * *"),
        ]
        for database in (db, cron):
            insert_lead_of_age(database, 1, REMINDER_DUE)
        cron.execute(
            "SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job WHERE jobname <> %s", (HISTORY,)
        )
        for database in (db, cron):
            wait_until(
                partial(has_run_both_jobs, database, cron),
                timeout=190,
                what=f"pg_cron has run both jobs in {database.info.dbname}",
            )
            assert events(database) == ["lead.protection.reminder"]
            sent = database.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone()
            assert sent == (1,)
            state = database.execute("SELECT state FROM lead_protection.v_user_lead_protection").fetchone()
            assert state == ("GRACE",)


def test_scheduling_is_idempotent_in_the_same_database(in_cron_database):
    cron = in_cron_database
    call = "SELECT job_name FROM lead_protection.schedule_jobs()"
    assert {row[0] for row in cron.execute(call)} == {FOLLOW, REMINDERS, NIGHTLY, HISTORY}
    once = cron.execute("SELECT jobid, jobname, schedule FROM cron.job ORDER BY 1").fetchall()
    cron.execute(call)
    assert cron.execute("SELECT jobid, jobname, schedule FROM cron.job ORDER BY 1").fetchall() == once
    call = "SELECT job_name, unscheduled FROM lead_protection.unschedule_jobs()"
    assert set(cron.execute(call)) == {(FOLLOW, True), (REMINDERS, True), (NIGHTLY, True), (HISTORY, True)}
    assert cron.execute(call).fetchall() == []
    assert jobs(cron) == {}


def test_jobs_of_another_database_are_neither_moved_nor_removed(database_url, new_database, template, cron, server):
    with new_database(template) as name:
        jobs_of_another_database(server.url(name), database_url, cron)


def jobs_of_another_database(other: str, database_url: str, cron: psycopg.Connection) -> None:
    run_ok("schedule", "--database", other, "--cron-database", "postgres")
    standing = jobs(cron)
    shown = run_ok("status", "--database", other, "--cron-database", "postgres")
    assert all(name in shown for name in (FOLLOW, REMINDERS, NIGHTLY, HISTORY))
    status, output = run_cli("schedule", "--database", database_url, "--cron-database", "postgres")
    assert status == 1 and "LP015" in output
    run_ok("unschedule", "--database", database_url, "--cron-database", "postgres")
    assert jobs(cron) == standing
    run_ok("unschedule", "--database", other, "--cron-database", "postgres")
    assert jobs(cron) == {}


def test_history_of_our_jobs_is_purged_and_no_other(database_url, db, cron):
    command = db.execute(
        "SELECT command FROM lead_protection.job_definitions WHERE job_name = %s", (HISTORY,)
    ).fetchone()[0]
    cron.execute("DELETE FROM cron.job_run_details")
    add = sql.SQL(
        "INSERT INTO cron.job_run_details (runid, command, start_time, end_time) VALUES"
        " (-1, 'CALL lead_protection.run_protection_pipeline()', now() - INTERVAL '91 days', NULL),"
        " (-2, 'CALL lead_protection.run_protection_pipeline()', now() - INTERVAL '89 days', NULL),"
        " (-3, 'CALL lead_protection.run_protection_pipeline()', NULL, now() - INTERVAL '91 days'),"
        " (-4, 'VACUUM', now() - INTERVAL '91 days', NULL)"
    )
    cron.execute(add)
    cron.execute(command)
    left = cron.execute("SELECT runid FROM cron.job_run_details ORDER BY runid").fetchall()
    cron.execute("DELETE FROM cron.job_run_details")
    assert left == [(-4,), (-2,)]


def test_a_job_whose_role_is_gone_is_named_with_the_cure(in_cron_database, scheduler, server):
    """It kills the launcher of pg_cron 1.4 for all jobs of the cluster; neither a restart nor scheduling helps."""
    cron = in_cron_database
    run_ok("schedule", "--database", server.url())
    assert cron.execute(CRON_JOBS).fetchone() == ("ok", "nothing is seen to be wrong")
    # As it is once the role was dropped, without the launcher's seeing it: that would be the end of it.
    cron.execute("UPDATE cron.job SET username = 'gone', active = false WHERE jobname = %s", (NIGHTLY,))
    status, found = cron.execute(CRON_JOBS).fetchone()
    assert status == "critical" and f"({NIGHTLY}) belongs to role gone, which is gone" in found
    shown = run_ok("status", "--database", server.url())
    assert f"({NIGHTLY}) belongs to role gone, which is gone" in shown
    cure = "DELETE FROM cron.job WHERE username NOT IN (SELECT rolname FROM pg_roles);"
    assert cure in shown and cure in (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    cron.execute(cure)
    assert cron.execute(CRON_JOBS).fetchone()[0] == "ok"
    assert "is gone" not in run_ok("status", "--database", server.url())


def test_two_roles_that_schedule_the_same_jobs_are_told(in_cron_database, scheduler, server):
    cron = in_cron_database
    run_ok("schedule", "--database", server.url())
    told = f"{REMINDERS} is scheduled by postgres and by {scheduler}"
    output = run_ok("schedule", "--database", server.url().replace("postgres@", f"{scheduler}@"))
    assert f"WARNING: {told}" in output
    status, found = cron.execute(CRON_JOBS).fetchone()
    assert status == "warn" and told in found
    assert f"{REMINDERS} is scheduled twice, by postgres, {scheduler}" in run_ok("status", "--database", server.url())
    run_ok("unschedule", "--database", server.url().replace("postgres@", f"{scheduler}@"))
    assert cron.execute(CRON_JOBS).fetchone()[0] == "ok"


@pytest.fixture
def stranger(cron) -> Iterator[str]:
    """A role that may log in, and nothing else."""
    cron.execute("CREATE ROLE test_stranger LOGIN")
    yield "test_stranger"
    cron.execute("DROP OWNED BY test_stranger; DROP ROLE test_stranger")


@pytest.mark.parametrize("command", ["schedule", "unschedule", "status"])
def test_the_wrong_role_is_told_which_grant_is_missing(command, in_cron_database, stranger, server):
    """In 0.4.0 a bare 42501."""
    url = server.url().replace("postgres@", f"{stranger}@")
    status, output = run_cli(command, "--database", url)
    group = "lead_protection_monitor" if command == "status" else "lead_protection_jobs"
    assert status == 1 and f"GRANT {group} TO {stranger};" in output
    if command == "status":
        return
    in_cron_database.execute(f"GRANT lead_protection_jobs TO {stranger}")
    status, output = run_cli(command, "--database", url)
    assert status == 1 and "LP083" in output and f"GRANT USAGE ON SCHEMA cron TO {stranger};" in output
    in_cron_database.execute(f"GRANT USAGE ON SCHEMA cron TO {stranger}")
    run_ok(command, "--database", url)


def test_a_role_that_may_not_schedule_for_other_databases_is_told_so(database_url, cron, stranger, server):
    cron.execute(f"GRANT lead_protection_jobs TO {stranger}")
    cron.execute(f"GRANT USAGE ON SCHEMA cron TO {stranger}")
    url = database_url.replace("postgres@", f"{stranger}@")
    status, output = run_cli("schedule", "--database", url, "--cron-database", "postgres")
    assert status == 1 and "LP083" in output
    assert "GRANT EXECUTE ON FUNCTION cron.schedule_in_database(" in output and f" TO {stranger};" in output
