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

from helpers import failures
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

# --- what must be seen once a section was followed ---


def summary_shows(results: Results) -> None:
    assert [(row[0], row[1], row[4]) for row in results["not-ok"]] == [
        ("scheduler", "critical", "Reminders are not sent"),
        ("pipeline", "critical", "Reminders are not sent"),
        ("nightly", "critical", "Reminders are not sent"),
        ("reminders_overdue", "critical", "Reminders are not sent"),
    ]


def reminders_are_sent(results: Results) -> None:
    runs_before, cron, overdue, health = results.take("runs-before", "cron", "overdue", "health")
    assert runs_before == []
    assert cron[0][1] == "1", "pg_cron's launcher is there"
    assert overdue == [["0"]]
    assert [row[1] for row in health] == ["ok"] * 4


def failure_is_seen_and_mended(results: Results) -> None:
    failed, last = results.take("failed", "last")
    assert [row[3].split(":")[0] for row in failed] == ["23514"]
    assert "intruder" in failed[0][3]
    assert last[0][2] == "succeeded" and '"reminders": 20' in last[0][3]


def abandoned_run_is_seen_and_marked(results: Results) -> None:
    running, blocking, ended, runs, health = results.take("running", "blocking", "ended", "runs", "health")
    assert [row[4] for row in running] == ["f"]
    assert blocking == ended == []
    assert [row[1] for row in runs] == ["succeeded", "abandoned"]
    assert [row[0] for row in health] == ["ok"]


def session_is_named_and_ended(results: Results) -> None:
    held, ended, health = results.take("held", "ended", "health")
    assert [(row[1], row[2], row[6]) for row in held] == [("lead-protection-reminders", "reminders", "forgotten")]
    assert [row[1] for row in ended] == ["t"]
    assert [row[0] for row in health] == ["ok"]


def faults_of_the_schedule_are_shown(results: Results) -> None:
    results.take("cure", "health")


def late_event_is_found(results: Results) -> None:
    late, health = results.take("late", "health")
    assert [(row[0], row[1]) for row in late] == [("42", "lead.clock.mended")]
    assert [row[0] for row in health] == ["ok"]


def dispute_is_explained(results: Results) -> None:
    was, steps, log, facts, history, difference = results.take("was", "steps", "log", "facts", "history", "difference")
    assert [row[:3] for row in was] == [["113", "agents", "1"]]
    assert was[0][6] in steps[-1], "the last step is the date that was shown"
    assert [row[1] for row in log] == ["lead.protection.transferred"]
    assert [row[0] for row in facts if row[4] == "visit-1"] == ["CUSTOMER_REACTION"]
    assert [row[0] for row in history] == ["113"]
    assert difference == []


def lead_is_put_right(results: Results) -> None:
    extended, backdated, transferred, reopened, voided, deleted, log = results.take(
        "extended", "backdated", "transferred", "reopened", "closing-voided", "deleted", "log"
    )
    assert [row[0] for row in (*extended, *backdated, *transferred, *reopened, *voided, *deleted)] == ["t"] * 7
    assert voided[0][3] < voided[0][4]
    assert extended[0][1] < extended[0][2] and backdated[0][1] > backdated[0][2]
    assert transferred[0][1] == "110"
    assert [row[2] for row in reopened] == ["CLOSED", "PROTECTED"]
    assert [row[0] for row in log] == [
        "lead.protection.extended",
        "lead.protection.backdated",
        "lead.protection.transferred",
        "lead.closed",
        "lead.reopened",
        "lead.hold.created",
        "lead.deleted",
    ]


def activity_is_put_right(results: Results) -> None:
    before, recorded, corrected, deleted, after = results.take("before", "recorded", "corrected", "deleted", "after")
    assert [row[0] for row in before if row[3] == "t"] == ["visit-1", "call-1"]
    assert recorded[0][:3] == ["t", "EXPIRED", "PROTECTED"]
    assert corrected[0][0] == "t" and corrected[0][1] < corrected[0][2]
    assert deleted[0][0] == "t" and deleted[0][1] == deleted[0][2]
    assert after[0][1] == "PROTECTED" and after[0][2] == corrected[0][2] and after[0][4] != ""


def contract_is_changed(results: Results) -> None:
    policies, assignments, version, assigned, previewed, moved, log = results.take(
        "policies", "assignments", "version", "assigned", "previewed", "moved", "log"
    )
    assert [row[1:4] for row in policies] == [["agents", "1", "f"], ["standard", "1", "t"]]
    assert [row[0] for row in assignments] == ["113", "114"]
    assert version[0][1:] == ["2", "t"] and assigned == [["t"]]
    changed = {row[0]: (row[3], row[4]) for row in previewed}
    assert len(changed) > 1 and changed["311"][0] > changed["311"][1]
    assert moved == [[str(len(log))]]
    # The shown date of a lead that now owes a notice moves between preview and move.
    assert {row[0] for row in log if row[3] != row[4]} == changed.keys()
    assert {row[0]: row[4] for row in log}["311"] == changed["311"][1]


def expiry_waits_for_its_notice(results: Results) -> None:
    owed, moved = results.take("owed", "moved")
    assert [(row[0], row[5]) for row in owed] == [("975", "t"), ("962", "f")]
    assert ["975", "GRACE"] in [[row[0], row[5]] for row in moved]


def drift_is_found_and_mended(results: Results) -> None:
    drift, triggers, after, log = results.take("drift", "triggers", "after", "log")
    assert [row[0] for row in drift] == ["42"] and drift[0][1] > drift[0][2]
    assert triggers == []
    assert after == [["0"]]
    assert [row[1] for row in log] == ["42", "42"] and log[0][3] == drift[0][2]


def hold_is_put_right(results: Results) -> None:
    in_force, of_lead, released = results.take("in-force", "of-lead", "released")
    previewed, corrected = results.take("previewed", "corrected")
    void_previewed, voided = results.take("void-previewed", "voided")
    cancelled, overridden = results.take("cancelled", "overridden")
    lead, history, overrun = results.take("lead", "history", "overrun")
    assert {row[2] for row in in_force if row[10] == "t"} == {"264", "265"}
    assert [row[1] for row in of_lead] == ["1"]
    assert released[0][3] == "t"
    assert corrected[0][:2] == ["t", previewed[0][1]] and corrected[0][3] == previewed[0][3] < previewed[0][2]
    assert voided[0][:2] == ["t", void_previewed[0][1]] and voided[0][3] == void_previewed[0][3] < void_previewed[0][2]
    assert cancelled[0][0] == "t" and cancelled[0][2] > cancelled[0][3]
    assert overridden == [["t", "PROTECTED"]]
    assert lead[0][2:4] == ["f", corrected[0][3]] and lead[0][4] != ""
    assert [row[1] for row in history] == ["lead.hold.corrected"] and history[0][6] == "" != history[0][8]
    assert overrun == []


def many_are_held(results: Results) -> None:
    reasons, on_hold, held, of_user, refused, released, holds = results.take(
        "reasons", "on-hold", "held", "of-user", "refused", "released", "holds"
    )
    assert ["USER_NEEDS_TIME", "f"] in [row[:2] for row in reasons]
    assert on_hold
    assert [(row[0], row[1], row[3], row[4]) for row in held] == [
        ("already", "", "1", "265"),
        ("done", "", "2", "12"),
        ("refused", "LP002", "1", "999999"),
        ("refused", "LP008", "1", "195"),
        ("refused", "LP009", "1", "231"),
    ]
    assert {(row[0], row[1]) for row in of_user} == {("done", ""), ("refused", "LP008")}
    assert [(row[0], row[2]) for row in refused] == [("195", "LP008"), ("231", "LP009")]
    assert released == [["done", "", "", "2"]]
    assert holds == [["SUPPLY_ISSUE", "f", "f", "2"]]


def reminder_is_explained(results: Results) -> None:
    lead, reminders, sent, failed = results.take("lead", "reminders", "sent", "failed")
    assert lead[0][1] == "GRACE"
    assert len(reminders) == len(sent) == 1 and reminders[0][3] != "" == reminders[0][4]
    assert failed[0][:2] == ["failed", "t"] and failed[0][2] != ""


def dead_letters_are_replayed(results: Results) -> None:
    consumers, dead, replayed, again = results.take("consumers", "dead", "replayed", "again")
    assert [row[:5] for row in consumers] == [["mailer", "17", "0", "0", "3"]]
    assert [row[1:4] for row in dead] == [["lead.protection.reminder", "mail server unknown", "3"]]
    assert replayed == [["3"]]
    assert again == [["72"]], "also those of the sample, which were written before the mailer was registered"


def reminders_go_out_again(results: Results) -> None:
    before, replayed, reported, after = results.take("before", "replayed", "reported", "after")
    assert [row[0] for row in before] == ["delivered", ""] and before[0][2] == "3"
    assert int(replayed[0][0]) > 0
    assert reported[0][0] == "3" and reported[0][1] != ""
    assert [row[3] for row in after if row[4]] == ["failed"] * 3


def adopted_rows_are_in_step(results: Results) -> None:
    tables, waiting, dismissed, found, drift = results.take("tables", "waiting", "dismissed", "found", "drift")
    assert [(row[0], row[2], row[5], row[7]) for row in tables] == [("public.crm_leads", "2", "3", "1")]
    assert [(row[1], row[5].split(":")[0]) for row in waiting] == [("9001", "LP010"), ("9003", "LP005")]
    assert dismissed == [["t"]]
    # The write that was not followed yet, too.
    assert found == [["2"]]
    assert [row[1] for row in drift] == ["9003"]


def starts_are_put_back(results: Results) -> None:
    paused, ended, causes, resumed, health = results.take("paused", "ended", "causes", "resumed", "health")
    assert paused[0][0] == "t" and resumed[0] == ["t"]
    assert int(ended[0][0]) > 100 and int(ended[0][2]) < 10
    assert causes[0][0] == "lead.changed" and int(causes[0][3]) > 100
    assert [row[0] for row in health] == ["ok"]


def default_is_back(results: Results) -> None:
    policies, changed, health = results.take("policies", "changed", "health")
    assert {row[3] for row in policies} == {"f"}
    assert changed == [["t"]] and [row[0] for row in health] == ["ok"]


def default_is_what_it_was(results: Results) -> None:
    decisions, came_in, put_back, moved, health = results.take("decisions", "came-in", "put-back", "moved", "health")
    assert [row[1:4] for row in decisions] == [["agents", "1", "902"]]
    assert [row[1] for row in came_in] == ["101"]
    assert put_back == [["t"]] and [row[:2] for row in moved] == [[came_in[0][0], "t"]]
    assert health == [["ok", "the default policy is that of a day ago"]]


def rows_lie_ahead_no_more(results: Results) -> None:
    ((now, last_run, _),), health = results.take("clock", "health")
    assert now < last_run
    assert [row[0] for row in health] == ["ok"]


def pause_is_over(results: Results) -> None:
    settings, log, paused, running, resumed, health = results.take(
        "settings", "log", "paused", "running", "resumed", "health"
    )
    assert settings[0][1:3] == ["902", "a migration of the CRM"] and settings[0][3].startswith("paused by 902 at ")
    assert [row[:3] for row in log] == [["paused", "902", "a migration of the CRM"]]
    assert paused == [["f", *settings[0][:3]]]
    assert running == []
    assert resumed == [["t"]]
    assert [row[:2] for row in health] == [["paused", "ok"], ["pipeline", "ok"]]


def exercises_show_what_they_promise(results: Results) -> None:
    look, helped, pause, tampered, mended, mailer, no_default, default, left_behind, end = results.take(
        "look", "helped", "pause", "tampered", "mended", "mailer", "no-default", "default", "left-behind", "end"
    )
    assert len(look) == 20
    assert helped[0][0] == "Reminder werden nicht versendet" and "Reminder sind überfällig" in helped[0][1]
    assert pause[1][0] == "skipped" and "training" in pause[1][1] and pause[2][0] == "warn"
    assert tampered[0][0] == "42" and tampered[1][0] == "warn"
    assert mended[0][0] == "ok" and mended[1][0] == "42"
    assert [row[0] for row in mailer[:5]] == ["training", "5", "warn", "5", "ok"]
    assert no_default[-1][0] == "critical" and default == [["t"], ["ok", "the default is standard, version 1"]]
    assert left_behind[-1][0] == "critical" and end == []


def lead_is_back(results: Results) -> None:
    holds, (preview, corrected), lead = results.take("holds", "corrected", "lead")
    assert [row[1] for row in holds] == ["1"]
    assert preview[0] == "EXPIRED" and preview[1] in ("PROTECTED", "REMINDER_DUE", "GRACE")
    assert corrected == ["t", *preview[:2], preview[3]]
    state, _, had_expired, reactivated = lead[0]
    assert state in ("PROTECTED", "REMINDER_DUE", "GRACE")
    assert had_expired and reactivated


def unreminded_leads_are_found(results: Results) -> None:
    assert [row[1] for row in results["unreminded"]] == ["101", "101"]


def restored_database_is_caught_up(results: Results) -> None:
    paused, would_go_out, nightly = results.take("paused", "would-go-out", "nightly")
    assert paused[0][0] == "t"
    assert len(would_go_out) == 20
    assert nightly[0][1] == "succeeded" and '"clocks_mended": 0' in nightly[0][2]


def schema_is_gone(results: Results) -> None:
    assert results["gone"] == [["t"]]


def daily_numbers(results: Results) -> None:
    sla, states = results.take("sla", "states")
    assert sum(int(row[1]) for row in sla) >= 20
    assert {row[0] for row in states} == {"PROTECTED", "REMINDER_DUE", "GRACE", "EXPIRED", "CLOSED"}


@dataclass(frozen=True)
class Scenario:
    """A section of the runbook in the failure that it is about."""

    produce: Callable[[Server, str], None]
    check: Callable[[Results], None]
    health: tuple[str, ...] = ()  # these checks name the failure before, and are ok afterwards
    finish: Callable[[Server, str], None] = failures.nothing_wrong  # what is to be done outside the database


NOT_SENT = ("pipeline", "scheduler", "nightly", "reminders_overdue")

SCENARIOS: dict[str, Scenario] = {
    "30-second summary": Scenario(failures.nobody_runs_the_jobs, summary_shows),
    "Daily routine": Scenario(failures.nothing_wrong, daily_numbers),
    "Reminders are not sent": Scenario(failures.nobody_runs_the_jobs, reminders_are_sent, NOT_SENT),
    "A job fails": Scenario(failures.pipeline_breaks, failure_is_seen_and_mended, ("job_failed",)),
    "A job run hangs or is abandoned": Scenario(
        failures.run_is_killed, abandoned_run_is_seen_and_marked, ("job_hanging",)
    ),
    "A lead is locked for long": Scenario(
        failures.lead_is_held_by_a_forgotten_session, session_is_named_and_ended, ("leads_locked",)
    ),
    "A scheduled job has no role, or two": Scenario(
        failures.role_of_a_job_is_dropped, faults_of_the_schedule_are_shown, ("cron_jobs",), failures.job_is_deleted
    ),
    "A date is in dispute": Scenario(failures.nothing_wrong, dispute_is_explained),
    "The cached clock differs from the rule": Scenario(
        failures.cache_is_tampered_with, drift_is_found_and_mended, ("clock_drift",)
    ),
    "A hold is wrong, too long or forgotten": Scenario(
        failures.holds_pass_their_limit, hold_is_put_right, ("hold_overrun",)
    ),
    "Hold many leads at once": Scenario(failures.nothing_wrong, many_are_held),
    "A user got no reminder": Scenario(failures.nothing_wrong, reminder_is_explained),
    "Reminders must go out again": Scenario(failures.mailer_loses_what_it_took, reminders_go_out_again),
    "Events are not taken": Scenario(
        failures.consumer_is_dead,
        dead_letters_are_replayed,
        ("outbox_lag", "dead_letters"),
        failures.consumer_works_again,
    ),
    "Log rows had no event": Scenario(failures.log_is_written_past_its_trigger, late_event_is_found, ("log_events",)),
    "An adopted row is out of step": Scenario(
        failures.adopted_rows_get_out_of_step, adopted_rows_are_in_step, ("adoption_lag", "adoption")
    ),
    "Many leads expire at once": Scenario(failures.import_moves_starts, starts_are_put_back, ("expiry_spike",)),
    "There is no default policy": Scenario(failures.default_is_taken_away, default_is_back, ("policies",)),
    "The default policy was changed": Scenario(
        failures.default_is_switched, default_is_what_it_was, ("default_changed",)
    ),
    "The server's clock is wrong": Scenario(failures.clock_ran_ahead, rows_lie_ahead_no_more, ("clock_skew",)),
    "A lead's user, start or end is wrong": Scenario(failures.nothing_wrong, lead_is_put_right),
    "An activity is missing or wrong": Scenario(failures.nothing_wrong, activity_is_put_right),
    "A contract changes": Scenario(failures.nothing_wrong, contract_is_changed),
    "A lead expired too early": Scenario(failures.nothing_wrong, lead_is_back),
    "An expiry waits for a notice": Scenario(failures.notices_are_owed, expiry_waits_for_its_notice),
    "After an outage": Scenario(failures.grace_time_was_missed, unreminded_leads_are_found, NOT_SENT),
    "After a failover or a restore": Scenario(failures.nobody_runs_the_jobs, restored_database_is_caught_up, NOT_SENT),
    "Pausing everything and resuming": Scenario(failures.pause_is_forgotten, pause_is_over, ("paused",)),
    "Rolling back": Scenario(failures.nothing_wrong, schema_is_gone),
    "Training": Scenario(failures.nothing_wrong, exercises_show_what_they_promise),
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
    scenario.check(runner.run_all(blocks))
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
