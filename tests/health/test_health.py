"""health: what it says of a system that is well, of one without a scheduler, on a standby, to whom, and at what cost.

That each check names its failure, and is ok after the runbook's mitigation, is in test_documentation.py.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import PROTECTED, REMINDER_DUE, insert_holds, insert_lead_of_age, insert_policy
from helpers.failures import warn_of_snapshots_after
from helpers.own_server import OwnServer
from helpers.server import Server, server_directory


def health(db) -> dict[str, tuple[str, str]]:
    """Status and finding of each check."""
    rows = db.execute("SELECT check_name, status, found FROM lead_protection.health").fetchall()
    return {check: (status, found) for check, status, found in rows}


def status(db, check: str) -> str:
    return health(db)[check][0]


def age_runs(db, length: str) -> None:
    """Time passes."""
    db.execute(
        "UPDATE lead_protection.job_runs SET started_at = started_at - %s::interval,"
        " finished_at = finished_at - %s::interval",
        (length, length),
    )


def test_a_new_installation_is_well(db):
    # The tests' databases are clones of one that may have been installed long ago, as jobs are counted.
    db.execute("UPDATE lead_protection.migration_checksums SET recorded_at = now()")
    found = health(db)
    assert {status for status, _ in found.values()} == {"ok"}
    assert list(found) == [row[0] for row in db.execute("SELECT check_name FROM lead_protection.health_checks")]
    assert db.execute("SELECT count(since) FROM lead_protection.health").fetchone() == (0,)


def test_a_system_whose_jobs_ran_is_well(db):
    insert_lead_of_age(db, 1, REMINDER_DUE)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    assert {status for status, _ in health(db).values()} == {"ok"}


@pytest.mark.parametrize(
    ("check", "ok", "warn", "critical"),
    [
        ("pipeline", "14 minutes", "16 minutes", "31 minutes"),
        ("scheduler", "10 minutes", "12 minutes", "31 minutes"),
        ("nightly", "25 hours", "27 hours", "51 hours"),
    ],
)
def test_from_where_on_jobs_are_missed(db, check, ok, warn, critical):
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    shown = []
    for length in (ok, warn, critical):
        db.execute("BEGIN")
        age_runs(db, length)
        shown.append(status(db, check))
        db.execute("ROLLBACK")
    assert shown == ["ok", "warn", "critical"]


def test_a_run_that_waits_is_a_sign_of_life(db):
    """Paused is told by its own check; that nothing runs would be wrong."""
    db.execute("CALL lead_protection.run_protection_pipeline()")
    age_runs(db, "1 day")
    db.execute("SELECT lead_protection.pause_protection('x', 1)")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert [status(db, check) for check in ("pipeline", "scheduler", "paused")] == ["ok", "ok", "warn"]
    db.execute("UPDATE lead_protection.settings SET paused_at = paused_at - INTERVAL '25 hours'")
    assert status(db, "paused") == "critical"


def test_failures_are_counted_in_a_row(db):
    for failed in range(1, 4):
        db.execute("SELECT lead_protection.start_job_run('lead-protection-nightly')")
        db.execute(
            "UPDATE lead_protection.job_runs SET outcome = 'failed', error = 'x', finished_at = clock_timestamp()"
            " WHERE outcome = 'running'"
        )
        assert status(db, "job_failed") == ("critical" if failed == 3 else "warn")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert status(db, "job_failed") == "critical", "another job's success is not its own"
    db.execute("CALL lead_protection.run_nightly_maintenance()")
    assert status(db, "job_failed") == "ok"


def test_reminders_wait_from_when_they_could_be_sent(db):
    """The lead was entered just now, months after its start; and another came off a hold just now."""
    insert_lead_of_age(db, 1, REMINDER_DUE)
    insert_lead_of_age(db, 2, REMINDER_DUE)
    db.execute("UPDATE lead_protection.leads SET recorded_at = created_at WHERE id = 2")
    assert status(db, "reminders_overdue") == "critical"
    db.execute("SELECT lead_protection.create_lead_hold(2, 7, 'x', 1)")
    assert status(db, "reminders_overdue") == "ok"
    db.execute("SELECT lead_protection.release_lead_hold(2, 7, 1)")
    assert status(db, "reminders_overdue") == "ok"


def test_triggers_that_are_off_are_drift_to_come(db):
    some = (
        "TRIGGER "
        + db.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'lead_protection.lead_holds'::regclass AND NOT tgisinternal"
        ).fetchone()[0]
    )
    for setting, shown in (
        ("DISABLE TRIGGER USER", "critical"),
        ("ENABLE TRIGGER USER", "ok"),
        (f"ENABLE REPLICA {some}", "critical"),
        (f"ENABLE ALWAYS {some}", "ok"),
    ):
        db.execute(f"ALTER TABLE lead_protection.lead_holds {setting}")
        assert status(db, "clock_drift") == shown


def test_another_default_policy_is_told_for_a_day(db):
    (standard,) = db.execute("SELECT id FROM lead_protection.protection_policies WHERE is_default").fetchone()
    agents, others = insert_policy(db, "agents"), insert_policy(db, "others")
    metric = "SELECT value FROM lead_protection.v_metrics WHERE metric = 'lead_default_policy_changed'"
    assert status(db, "default_changed") == "ok" and db.execute(metric).fetchone() == (0,)

    def change(policy_id: int, how_long_ago: str) -> None:
        db.execute("SELECT lead_protection.set_default_policy(%s, 5)", (policy_id,))
        # The rows are append-only: time passes for them all the same.
        db.execute("SET session_replication_role = replica")
        db.execute(
            "UPDATE lead_protection.policy_assignments SET assigned_at = now() - %s::interval"
            " WHERE id = (SELECT max(id) FROM lead_protection.policy_assignments)",
            (how_long_ago,),
        )
        db.execute("RESET session_replication_role")

    change(agents, "23 hours")
    state, found = health(db)["default_changed"]
    assert state == "warn" and db.execute(metric).fetchone() == (1,)
    assert found.startswith("it became agents, version 1 by 5, 23 h")
    assert found.endswith(" ago; before it was standard, version 1")
    # Put back, it is what it was.
    change(standard, "1 hour")
    assert status(db, "default_changed") == "ok" and db.execute(metric).fetchone() == (0,)
    # A day later another one is the one of a day ago.
    change(agents, "25 hours")
    assert status(db, "default_changed") == "ok"
    change(others, "2 hours")
    assert "before it was agents" in health(db)["default_changed"][1]
    # A user's own policy is nobody's default.
    db.execute("SELECT lead_protection.set_default_policy(%s, 5)", (agents,))
    db.execute("SELECT lead_protection.assign_user_policy(7, %s, 5)", (others,))
    assert status(db, "default_changed") == "ok"


def test_an_expiry_spike_needs_a_usual_day_to_compare_with(db):
    db.execute("CALL lead_protection.run_protection_pipeline()")
    for lead_id in range(1, 131):
        insert_lead_of_age(db, lead_id, 300)
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert health(db)["expiry_spike"] == ("ok", "130 within a day, usual are not known yet")
    db.execute(
        "UPDATE lead_protection.job_runs SET started_at = started_at - INTERVAL '10 days'"
        " WHERE id = (SELECT min(id) FROM lead_protection.job_runs)"
    )
    assert health(db)["expiry_spike"] == ("warn", "130 within a day, usual are 20")
    db.execute(
        "UPDATE lead_protection.job_runs SET result = '{\"expiries\": 900}'"
        " WHERE id = (SELECT min(id) FROM lead_protection.job_runs)"
    )
    assert health(db)["expiry_spike"] == ("ok", "130 within a day, usual are 100")


def test_a_hold_past_its_limit_is_critical_once_a_night_has_passed(db):
    limited = insert_policy(db, "limited", hold_limit_days=10)
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("UPDATE lead_protection.leads SET policy_id = %s", (limited,))
    now = db.execute("SELECT now()").fetchone()[0]
    for length, shown in (("9 days", "ok"), ("241 hours", "warn"), ("267 hours", "critical")):
        db.execute("DELETE FROM lead_protection.lead_holds")
        start = db.execute("SELECT %s - %s::interval", (now, length)).fetchone()[0]
        insert_holds(db, 1, [(start, None)])
        assert status(db, "hold_overrun") == shown


def test_a_snapshot_that_is_held_is_told_by_who_holds_it_and_a_session_that_waits_for_orders_is_not(db, connect):
    idle = connect(autocommit=False, application_name="idle")
    idle.execute("SELECT FROM lead_protection.leads")
    assert health(db)["old_snapshots"] == ("ok", "nobody keeps rows from being cleared away"), (
        "it has no snapshot between two statements"
    )
    report = connect(autocommit=False, application_name="a report")
    report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    report.execute("SELECT FROM lead_protection.leads")
    writer = connect(autocommit=False, application_name="")
    writer.execute("SELECT pg_current_xact_id()")
    held = [
        f"process {report.info.backend_pid} of role postgres (a report)",
        f"process {writer.info.backend_pid} of role postgres (no application name)",
    ]
    monitor = connect()
    monitor.execute("SET SESSION AUTHORIZATION lead_protection_monitor")
    shown = "SELECT holder, since FROM lead_protection.old_snapshots() ORDER BY since"
    assert [row[0] for row in monitor.execute(shown)] == held
    (since,) = report.execute("SELECT now()").fetchone()
    assert monitor.execute(shown).fetchone()[1] == since
    state, found = health(monitor)["old_snapshots"]
    assert state == "ok" and found.startswith(f"{held[0]} has kept rows from being cleared away for ")
    db.execute(warn_of_snapshots_after(0))
    told = "SELECT status, amount, since FROM lead_protection.health WHERE check_name = 'old_snapshots'"
    assert monitor.execute(told).fetchone() == ("warn", 2, since)
    metric = "SELECT value FROM lead_protection.metric_samples('lead_oldest_snapshot_seconds')"
    (seconds,) = monitor.execute(metric).fetchone()
    assert 0 < seconds < 300
    for session in (report, writer):
        session.rollback()
    assert status(db, "old_snapshots") == "ok"
    assert monitor.execute(metric).fetchone() == (0,)


@pytest.mark.made_up_events("an event with a timestamp of its own")
def test_events_from_the_future_are_clock_skew(db):
    insert = (
        "INSERT INTO lead_protection.outbox_events (id, aggregatetype, aggregateid, type, payload, timestamp)"
        " VALUES (gen_random_uuid(), 'lead', '1', 'lead.x', '{}', clock_timestamp() + %s::interval)"
    )
    for length, shown in (("30 seconds", "ok"), ("3 minutes", "warn"), ("1 hour", "critical")):
        db.execute(insert, (length,))
        assert status(db, "clock_skew") == shown


@pytest.mark.parametrize("role", ["monitor", "operator"])
def test_who_may_read_it(db, connect, role):
    reader = connect()
    reader.execute(f"SET SESSION AUTHORIZATION lead_protection_{role}")
    assert health(reader) == health(db)


@pytest.mark.parametrize("role", ["app", "jobs", "consumer"])
def test_who_may_not(db, role):
    db.execute(f"SET ROLE lead_protection_{role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        health(db)


def test_it_reads_little_of_the_large_tables(db):
    """With sequential scans forbidden it must get by without any, except of tables that stay small."""
    db.execute(
        "INSERT INTO lead_protection.leads (user_id, created_at, changed_at)"
        " SELECT 7, now(), now() FROM generate_series(1, 3000)"
    )
    db.execute("SELECT lead_protection.register_event_consumer('crm')")
    db.execute("ANALYZE")
    plan = db.execute("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM lead_protection.health").fetchone()[0]

    def scans(node: dict) -> Iterator[tuple[str, str, int]]:
        if "Relation Name" in node:
            yield node["Node Type"], node["Relation Name"], node["Actual Rows"] * node["Actual Loops"]
        for child in node.get("Plans", []):
            yield from scans(child)

    large = ("leads", "lead_clocks", "lead_holds", "lead_expiries", "outbox_events", "event_deliveries")
    assert [scan for scan in scans(plan[0]["Plan"]) if scan[1] in large and scan[2] > 0] == []


@pytest.fixture
def own_server() -> Iterator[tuple[Server, Callable[[], None]]]:
    """A server of this test's own, with everything applied in database `own`, and a function that restarts it."""
    with server_directory() as directory:
        own = OwnServer(directory)
        own.server.execute("CREATE DATABASE own")
        run_ok("apply", "--database", own.url("own"))
        yield own.server, own.restart


@pytest.mark.slow("a server of its own, and a minute of pg_cron")
def test_a_launcher_that_is_gone_is_noticed_and_the_runbook_brings_it_back(own_server, cron, wait_until):
    """pg_cron's launcher is terminated on a server of its own: 1.4 does not come back before a restart."""
    server, restart = own_server
    server.execute("CREATE EXTENSION pg_cron")
    run_ok("schedule", "--database", server.url("own"), "--cron-database", "postgres")
    launcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher'"

    def runs_by_pg_cron() -> int:
        with psycopg.connect(server.url("own")) as db:
            ((runs,),) = db.execute(
                "SELECT count(*) FROM lead_protection.job_runs"
                " WHERE application_name = 'pg_cron' AND outcome = 'succeeded'"
            )
            return runs

    with psycopg.connect(server.url(), autocommit=True) as own_cron:
        own_cron.execute(
            "SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job"
            " WHERE jobname = 'lead-protection-reminders'"
        )
        wait_until(lambda: own_cron.execute(launcher).fetchone(), what="the launcher is there")
        # Stands for a run that pg_cron began before, which would be a minute to wait for. The one below is its own.
        with psycopg.connect(server.url("own"), autocommit=True, application_name="pg_cron") as db:
            db.execute("CALL lead_protection.run_protection_pipeline()")
        assert runs_by_pg_cron() == 1
        own_cron.execute(f"SELECT pg_terminate_backend(pid) FROM ({launcher}) AS l")
        wait_until(lambda: own_cron.execute(launcher).fetchone() is None, what="the launcher is gone")
        time.sleep(2)  # no condition: a newer pg_cron would have come back by now, and then there is nothing to notice
        if own_cron.execute(launcher).fetchone():
            pytest.skip("this pg_cron's launcher comes back by itself")

    with psycopg.connect(server.url("own"), autocommit=True) as db:
        db.execute("CALL lead_protection.run_protection_pipeline()")  # by hand: no sign of the schedule
        assert health(db)["scheduler"][0] == "critical" and health(db)["scheduler"][1].endswith("its launcher is gone")
        db.execute("SET SESSION AUTHORIZATION lead_protection_monitor")
        assert status(db, "scheduler") == "ok", "who may not see processes has to wait"
        db.execute("RESET SESSION AUTHORIZATION")
        age_runs(db, "12 minutes")
        db.execute("CALL lead_protection.run_protection_pipeline()")
        db.execute("SET SESSION AUTHORIZATION lead_protection_monitor")
        shown = health(db)
        assert shown["scheduler"][0] == "warn" and shown["scheduler"][1].startswith("pg_cron began a run 12 min")
        assert shown["pipeline"][0] == "ok"

    before = runs_by_pg_cron()
    restart()

    wait_until(lambda: runs_by_pg_cron() > before, timeout=130, what="pg_cron has begun a run again")
    with psycopg.connect(server.url("own"), autocommit=True) as db:
        assert {status for status, _ in health(db).values()} == {"ok"}


@pytest.mark.slow("a server of its own with a standby")
def test_it_answers_on_a_standby_and_so_does_the_help(own_server, wait_until):
    server, _ = own_server
    with psycopg.connect(server.url("own"), autocommit=True) as db:
        insert_lead_of_age(db, 1, REMINDER_DUE)
        db.execute("UPDATE lead_protection.leads SET recorded_at = recorded_at - INTERVAL '1 day'")
        db.execute("SELECT lead_protection.pause_protection('failover drill', 901)")
        db.execute("SELECT lead_protection.start_job_run('lead-protection-nightly')")
        ((data,),) = db.execute("SHOW data_directory")
        directory = Path(data).parent / "standby"
        as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

        def pg(program: str, *args: str) -> None:
            done = subprocess.run(
                [*as_owner, str(server.bin / program), *args],
                capture_output=True,
                text=True,
                cwd="/",
                stdin=subprocess.DEVNULL,
            )
            assert done.returncode == 0, done.stdout + done.stderr

        pg("pg_basebackup", "--host", server.host, "--username", "postgres", "-D", str(directory), "-R", "-c", "fast")
        options = f"-c port=5433 -c unix_socket_directories={server.host} -c shared_preload_libraries="
        pg("pg_ctl", "-D", str(directory), "-l", f"{directory}.log", "-o", options, "-w", "start")
        try:
            with psycopg.connect(server.url("own") + "&port=5433", autocommit=True) as standby:
                assert standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
                wait_until(lambda: health(standby)["paused"][0] == "warn", what="the pause was replayed")
                shown = {check: status for check, (status, _) in health(standby).items() if status != "ok"}
                assert shown == {"paused": "warn", "reminders_overdue": "critical"}
                assert health(standby)["job_hanging"][1].endswith("on the primary")
                ((answer,),) = standby.execute("SELECT lead_protection.find_help('no reminder was sent')")
                assert answer["operations"][0]["situation"] == "1 reminders are overdue."
                ((reason,),) = standby.execute("SELECT lead_protection.waiting_reason()")
                assert reason.endswith("drill")
        finally:
            pg("pg_ctl", "-D", str(directory), "-m", "immediate", "-w", "stop")


@pytest.mark.parametrize("rights", ["", "GRANT USAGE ON SCHEMA cron TO crm_owner"])
def test_an_owner_who_may_not_look_into_cron_gets_the_rest_of_health(db, rights):
    """pg_cron was made in this database before the owner had a right there; here its table stands for it."""
    with db.transaction(force_rollback=True):
        db.execute("CREATE SCHEMA cron CREATE TABLE job (jobid bigint)")
        db.execute("CREATE ROLE crm_owner")
        db.execute(rights)
        db.execute("ALTER FUNCTION lead_protection.cron_faults() OWNER TO crm_owner")
        assert db.execute("SELECT * FROM lead_protection.cron_faults()").fetchall() == []
