"""The runbook, section by section, each in the failure that it is about.

Each section has a freshly applied database of its own with the demo's sample in it, and the rights of the role that
the text names.
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest

from helpers import failures, runbook_outcomes
from helpers.pages import (
    OPERATOR,
    RUNBOOK,
    Results,
    Runner,
    named,
    needs_cron,
    sections,
)
from helpers.server import Server


@dataclass(frozen=True)
class Scenario:
    """A section of the runbook in the failure that it is about."""

    produce: Callable[[Server, str], None]
    check: Callable[[Results], None]
    health: tuple[str, ...] = ()  # these checks name the failure before, and are ok afterwards
    finish: Callable[[Server, str], None] = failures.nothing_wrong  # what is to be done outside the database


NOT_SENT = ("pipeline", "scheduler", "nightly", "reminders_overdue")

SCENARIOS: dict[str, Scenario] = {
    "30-second summary": Scenario(failures.nobody_runs_the_jobs, runbook_outcomes.summary_shows),
    "Daily routine": Scenario(failures.nothing_wrong, runbook_outcomes.daily_numbers),
    "Reminders are not sent": Scenario(failures.nobody_runs_the_jobs, runbook_outcomes.reminders_are_sent, NOT_SENT),
    "A job fails": Scenario(failures.pipeline_breaks, runbook_outcomes.failure_is_seen_and_mended, ("job_failed",)),
    "A job run hangs or is abandoned": Scenario(
        failures.run_is_killed, runbook_outcomes.abandoned_run_is_seen_and_marked, ("job_hanging",)
    ),
    "A lead is locked for long": Scenario(
        failures.lead_is_held_by_a_forgotten_session, runbook_outcomes.session_is_named_and_ended, ("leads_locked",)
    ),
    "A snapshot is held for long": Scenario(
        failures.snapshot_is_held, runbook_outcomes.holder_is_named_and_ended, ("old_snapshots",)
    ),
    "A scheduled job has no role, or two": Scenario(
        failures.role_of_a_job_is_dropped,
        runbook_outcomes.faults_of_the_schedule_are_shown,
        ("cron_jobs",),
        failures.job_is_deleted,
    ),
    "A date is in dispute": Scenario(failures.nothing_wrong, runbook_outcomes.dispute_is_explained),
    "The cached clock differs from the rule": Scenario(
        failures.cache_is_tampered_with, runbook_outcomes.drift_is_found_and_mended, ("clock_drift",)
    ),
    "Put a lead on hold": Scenario(failures.nothing_wrong, runbook_outcomes.lead_is_on_hold),
    "A hold is wrong, too long or forgotten": Scenario(
        failures.holds_pass_their_limit, runbook_outcomes.hold_is_put_right, ("hold_overrun",)
    ),
    "Hold many leads at once": Scenario(failures.nothing_wrong, runbook_outcomes.many_are_held),
    "A user got no reminder": Scenario(failures.nothing_wrong, runbook_outcomes.reminder_is_explained),
    "Reminders must go out again": Scenario(
        failures.mailer_loses_what_it_took, runbook_outcomes.reminders_go_out_again
    ),
    "Events are not taken": Scenario(
        failures.consumer_is_dead,
        runbook_outcomes.dead_letters_are_replayed,
        ("outbox_lag", "dead_letters"),
        failures.consumer_works_again,
    ),
    "Log rows had no event": Scenario(
        failures.log_is_written_past_its_trigger, runbook_outcomes.late_event_is_found, ("log_events",)
    ),
    "The log is not sealed": Scenario(
        failures.seals_are_held_up, runbook_outcomes.log_is_sealed_again, ("log_sealed",)
    ),
    "The log does not prove itself": Scenario(
        failures.log_is_tampered_with, runbook_outcomes.log_is_put_right, ("log_integrity",)
    ),
    "An adopted row is out of step": Scenario(
        failures.adopted_rows_get_out_of_step, runbook_outcomes.adopted_rows_are_in_step, ("adoption_lag", "adoption")
    ),
    "Many leads expire at once": Scenario(
        failures.import_moves_starts, runbook_outcomes.starts_are_put_back, ("expiry_spike",)
    ),
    "There is no default policy": Scenario(
        failures.default_is_taken_away, runbook_outcomes.default_is_back, ("policies",)
    ),
    "The default policy was changed": Scenario(
        failures.default_is_switched, runbook_outcomes.default_is_what_it_was, ("default_changed",)
    ),
    "The server's clock is wrong": Scenario(
        failures.clock_ran_ahead, runbook_outcomes.rows_lie_ahead_no_more, ("clock_skew", "expiry_spike")
    ),
    "The server's clock was behind": Scenario(failures.clock_was_behind, runbook_outcomes.leads_begin_when_they_came),
    "A lead is missing from the list": Scenario(failures.nothing_wrong, runbook_outcomes.lead_is_found),
    "A lead's user, start or end is wrong": Scenario(failures.nothing_wrong, runbook_outcomes.lead_is_put_right),
    "A user leaves": Scenario(failures.nothing_wrong, runbook_outcomes.leads_have_a_successor),
    "Erase a person's data": Scenario(failures.nothing_wrong, runbook_outcomes.person_is_erased),
    "An activity is missing or wrong": Scenario(failures.nothing_wrong, runbook_outcomes.activity_is_put_right),
    "A contract changes": Scenario(failures.nothing_wrong, runbook_outcomes.contract_is_changed),
    "A working day is wrong": Scenario(failures.day_off_is_unknown, runbook_outcomes.working_day_is_put_right),
    "A lead expired too early": Scenario(failures.nothing_wrong, runbook_outcomes.lead_is_back),
    "An expiry waits for a notice": Scenario(failures.notices_are_owed, runbook_outcomes.expiry_waits_for_its_notice),
    "After an outage": Scenario(failures.grace_time_was_missed, runbook_outcomes.unreminded_leads_are_found, NOT_SENT),
    "After a failover or a restore": Scenario(
        failures.nobody_runs_the_jobs, runbook_outcomes.restored_database_is_caught_up, NOT_SENT
    ),
    "Pausing everything and resuming": Scenario(
        failures.pause_is_forgotten, runbook_outcomes.pause_is_over, ("paused",)
    ),
    "Rolling back": Scenario(failures.nothing_wrong, runbook_outcomes.schema_is_gone),
    "Training": Scenario(failures.nothing_wrong, runbook_outcomes.exercises_show_what_they_promise),
}


def not_ok(server: Server, dbname: str) -> dict[str, str]:
    """What health names, as those see it who watch it: check and section."""
    query = "SET ROLE lead_protection_monitor; SELECT check_name, runbook FROM lead_protection.health"
    shown = server.psql(f"{query} WHERE status <> 'ok'", dbname=dbname).stdout
    return dict(line.split("|") for line in shown.splitlines())


def test_every_section_of_the_runbook_that_has_blocks_is_a_scenario():
    assert list(sections(RUNBOOK)) == list(SCENARIOS)


def test_every_check_of_health_has_a_section_and_is_seen_to_fail(db):
    checks = dict(db.execute("SELECT check_name, runbook FROM lead_protection.health_checks").fetchall())
    shown = db.execute("SELECT check_name, runbook FROM lead_protection.health").fetchall()
    assert shown == list(checks.items())
    assert set(checks) == {check for scenario in SCENARIOS.values() for check in scenario.health}
    for check, section in checks.items():
        assert check in SCENARIOS[section].health
    table = re.findall(r"^\| `(\w+)` \| `(Lead\w+)` \| \[([^\]]+)\]", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(check, section) for check, _, section in table] == shown


@pytest.mark.slow("each section of the runbook in its failure")
@pytest.mark.parametrize("heading", SCENARIOS)
def test_runbook(heading, sample_dbname, server, request):
    blocks = sections(RUNBOOK)[heading]
    if needs_cron(blocks):
        request.getfixturevalue("cron")
    scenario = SCENARIOS[heading]
    scenario.produce(server, sample_dbname)
    named = not_ok(server, sample_dbname)
    assert set(scenario.health) <= set(named)
    if scenario.health:
        # What follows from it is named after it.
        assert next(iter(named)) in scenario.health
    runner = Runner(server, sample_dbname, OPERATOR)
    scenario.check(runner.run_all(blocks, runbook_outcomes.PUT_IN.get(heading)))
    scenario.finish(server, sample_dbname)
    if scenario.health:
        assert not_ok(server, sample_dbname) == {}


def test_runbook_for_a_run_that_hangs(sample_dbname, server, wait_until):
    """A session builds something on the log and is then forgotten; the pipeline waits for it."""
    blocks = sections(RUNBOOK)["A job run hangs or is abandoned"]
    running, blocking, ended = (named(blocks)[name] for name in ("running", "blocking", "ended"))
    runner = Runner(server, sample_dbname, OPERATOR)
    with psycopg.connect(server.url(sample_dbname), application_name="forgotten") as forgotten:
        forgotten.execute("LOCK TABLE lead_protection.protection_log IN SHARE MODE")
        pipeline = subprocess.Popen(
            [
                *(server.bin / "psql", "-Xq", "-c", "SET lock_timeout = 0"),
                *("-c", "CALL lead_protection.run_protection_pipeline()", server.url(sample_dbname)),
            ],
            env=server.env,
        )
        try:
            (seen,) = wait_until(
                lambda: [row for row in runner.run(running) if row[7] == f"{{{forgotten.info.backend_pid}}}"]
            )
            assert seen[4] == "t"
            failures.an_hour_passes_for_the_run(server, sample_dbname)
            assert "job_hanging" in not_ok(server, sample_dbname)
            assert [row[2] for row in runner.run(blocking)] == ["forgotten"]

            assert [row[0::2] for row in runner.run(ended)] == [[str(forgotten.info.backend_pid), "t"]]

            assert pipeline.wait(30) == 0, "it has gone on by itself"
        finally:
            pipeline.kill()
            pipeline.wait()
        forgotten.close()
    rest = blocks[blocks.index(ended) + 1 :]
    runs, health = runner.run_all(rest).take("runs", "health")
    assert [row[1] for row in runs] == ["succeeded", "succeeded"]
    assert [row[0] for row in health] == ["ok"]


def test_a_taken_job_lock_is_named_with_who_holds_it(sample_dbname, server):
    """Somebody tried something in psql and left the transaction open: every run leaves at once."""
    with psycopg.connect(server.url(sample_dbname)) as forgotten:
        forgotten.execute(
            "SELECT FROM lead_protection.lock_rows WHERE lock_name = 'lead-protection-reminders' FOR UPDATE"
        )
        # At once, and not after runs have been skipped for a quarter of an hour.
        for expected in ("warn", "critical"):
            found = server.psql(
                f"SELECT found FROM lead_protection.health WHERE check_name = 'job_hanging' AND status = '{expected}'",
                dbname=sample_dbname,
            ).stdout
            assert found.startswith(
                f"process {forgotten.info.backend_pid} of role postgres (no application name) holds"
            )
            server.psql("CALL lead_protection.run_protection_pipeline()", dbname=sample_dbname)
            server.psql(
                "UPDATE lead_protection.job_runs SET started_at = started_at - INTERVAL '2 hours'",
                dbname=sample_dbname,
            )
    server.psql("CALL lead_protection.run_protection_pipeline()", dbname=sample_dbname)
    assert not_ok(server, sample_dbname) == {}


def test_an_owed_notice_is_an_overdue_reminder(sample_dbname, server):
    server.psql("CALL lead_protection.run_protection_pipeline()", dbname=sample_dbname)
    failures.notices_are_owed(server, sample_dbname)
    server.psql("UPDATE lead_protection.leads SET recorded_at = recorded_at - INTERVAL '1 hour'", dbname=sample_dbname)
    amount = server.psql(
        "SELECT amount FROM lead_protection.health WHERE check_name = 'reminders_overdue' AND status = 'critical'",
        dbname=sample_dbname,
    ).stdout
    assert amount.strip() == "2"
