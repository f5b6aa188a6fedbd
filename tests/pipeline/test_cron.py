"""Real pg_cron fires the jobs: in its own database, and from there in another, as an ordinary role."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from helpers.command_line import run_cli, run_ok
from helpers.facts import REMINDER_DUE, events, insert_lead_of_age
from helpers.schemas import faults_in_outbox

REMINDERS, NIGHTLY, HISTORY = "lead-protection-reminders", "lead-protection-nightly", "lead-protection-cron-history"
ROLE = "test_scheduler"


@pytest.fixture
def in_cron_database(cron, server) -> Iterator[psycopg.Connection]:
    """A connection to pg_cron's own database, to which everything was applied for once."""
    run_ok("apply", "--database", server.url())
    yield cron
    cron.execute("SELECT cron.unschedule(jobid) FROM cron.job")
    assert faults_in_outbox(cron) == []
    run_ok("rollback", "--all", "--yes", "--database", server.url())


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


def jobs(cron) -> dict:
    """What pg_cron has: name to schedule, database and role."""
    rows = cron.execute("SELECT jobname, schedule, database, username FROM cron.job ORDER BY jobname").fetchall()
    return {row[0]: row[1:] for row in rows}


@pytest.mark.slow("a minute of pg_cron")
def test_pg_cron_sends_the_reminder(db, database_url, in_cron_database, scheduler, server, wait_until):
    """The scheduled job, in both places at once; only its schedule is tightened to every minute, to spare the wait."""
    cron = in_cron_database
    run_ok("schedule", "--database", server.url())
    as_scheduler = [url.replace("postgres@", f"{scheduler}@") for url in (database_url, server.url())]
    run_ok("schedule", "--database", as_scheduler[0], "--cron-database", as_scheduler[1])
    own, name = "postgres", db.info.dbname
    assert cron.execute(
        "SELECT jobname, username, database, schedule FROM cron.job ORDER BY 1, 2",
    ).fetchall() == [
        (HISTORY, own, own, "47 1 * * *"),
        (HISTORY, scheduler, own, "47 1 * * *"),
        (NIGHTLY, own, own, "17 1 * * *"),
        (NIGHTLY, scheduler, name, "17 1 * * *"),
        (REMINDERS, own, own, "*/5 * * * *"),
        (REMINDERS, scheduler, name, "*/5 * * * *"),
    ]
    for database in (db, cron):
        insert_lead_of_age(database, 1, REMINDER_DUE)
    cron.execute("SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job WHERE jobname <> %s", (HISTORY,))

    finished = (
        "SELECT job_name FROM lead_protection.job_runs WHERE outcome = 'succeeded' GROUP BY job_name ORDER BY job_name"
    )
    for database in (db, cron):
        wait_until(
            lambda database=database: database.execute(finished).fetchall() == [(NIGHTLY,), (REMINDERS,)],
            timeout=130,
            what="pg_cron has run both jobs",
        )
        assert events(database) == ["lead.protection.reminder"]
        sent = database.execute("SELECT count(*) FROM lead_protection.lead_reminders").fetchone()
        assert sent == (1,)
        assert database.execute("SELECT state FROM lead_protection.v_user_lead_protection").fetchone() == ("GRACE",)


def test_scheduling_is_idempotent_in_the_same_database(in_cron_database):
    cron = in_cron_database
    call = "SELECT job_name FROM lead_protection.schedule_jobs()"
    assert {row[0] for row in cron.execute(call)} == {REMINDERS, NIGHTLY, HISTORY}
    once = cron.execute("SELECT jobid, jobname, schedule FROM cron.job ORDER BY 1").fetchall()
    cron.execute(call)
    assert cron.execute("SELECT jobid, jobname, schedule FROM cron.job ORDER BY 1").fetchall() == once
    call = "SELECT job_name, unscheduled FROM lead_protection.unschedule_jobs()"
    assert set(cron.execute(call)) == {(REMINDERS, True), (NIGHTLY, True), (HISTORY, True)}
    assert cron.execute(call).fetchall() == []
    assert jobs(cron) == {}


def test_jobs_of_another_database_are_neither_moved_nor_removed(database_url, empty_database_url, cron, server):
    other = empty_database_url
    run_ok("apply", "--database", other)
    run_ok("schedule", "--database", other, "--cron-database", "postgres")
    standing = jobs(cron)
    shown = run_ok("status", "--database", other, "--cron-database", "postgres")
    assert all(name in shown for name in (REMINDERS, NIGHTLY, HISTORY))
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
