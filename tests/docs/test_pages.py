"""The blocks of the other pages run, and give what the page says."""

import re

import pytest

from helpers.pages import ADOPTION, APP, EVENTS, OPERATOR, RULE, Runner, blocks, role_of


@pytest.mark.slow("the sample, from first to last")
def test_events_page_runs_from_top_to_bottom(sample_dbname, server):
    runner = Runner(server, sample_dbname, OPERATOR)
    results = runner.run_all(blocks(EVENTS))
    registered, acknowledged, failed, consumers = results.take("registered", "acknowledged", "failed", "consumers")
    delivery, reminders, sla = results.take("delivery", "reminders", "sla")
    assert registered == [["mailer", "{lead.protection.reminder}"]]
    assert acknowledged == [["acknowledged", "t"]] and failed[0][:2] == ["pending", "t"]
    assert consumers[0][:5] == ["mailer", "18", "0", "1", "0"]
    assert delivery[0] == ["t", ""] and delivery[1][0] == "delivered" and delivery[2] == ["acknowledged"]
    assert [row[4:] for row in reminders] == [["1", "delivered"]]
    assert sla


@pytest.mark.slow("three tables of a company are adopted, from first to last")
def test_adoption_page_runs_from_top_to_bottom(db, server):
    runner = Runner(server, db.info.dbname, OPERATOR)
    results = runner.run_all(blocks(ADOPTION))
    policies, shell, findings, adoptions, queued = results.take(
        "policies", "check-in-the-shell", "findings", "adoptions", "queued"
    )
    dismissed, reminders, preview, drift = results.take("dismissed", "reminders", "preview", "drift")
    ran, written, tables = results.take("ran", "written", "tables")
    assert ["standard", "1", "t"] in policies
    assert [line for (line,) in shell].count("Fit to be adopted.") == 4
    assert [row for row in findings if row[0] == "problem"] == []
    assert [row[1] for row in findings if row[0] == "warning"] == []
    assert {row[1] for row in findings} >= {"call", "grant"}
    assert [row for row in adoptions if row[0] == "opportunities"] == [
        ["opportunities", "crm.opportunities", "10400", ""]
    ]
    assert [(row[0], row[2].split(":")[0]) for row in queued] == [("10088", "LP010")]
    assert dismissed == [["t"], ["0"]]
    assert [row[:2] for row in reminders] == [["10248", "imported"]]
    found = {row[0]: int(row[1]) for row in preview}
    assert sum(found.values()) == 400 and found["free"] == 1 and found["in adoption_queue"] == 0
    assert found["reminder overdue"] > 0
    assert drift == []
    counts = (
        '{"expiries": 0, "reminders": 0, "log_sealed": 0, "adopted_rows": 0, "reactivations": 0, "skipped_locked": 0}'
    )
    assert ran == [["succeeded", counts]]
    assert written == [
        ["10014", "lead.protection.given_back", "900", "as in crm.opportunities", "FREE"],
        ["10010", "lead.closed", "900", "as in crm.opportunities", "CLOSED"],
    ]
    assert [(row[0], row[1], row[2], row[3], row[5]) for row in tables] == [
        ("calls", "activities", "0", "0", "4"),
        ("opportunities", "leads", "0", "0", "4"),
        ("pauses holds", "holds", "0", "0", "4"),
    ]
    left = "SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'crm.%'"
    assert server.psql(left, dbname=db.info.dbname).stdout.strip() == "0"


# --- the rule in detail ---


def test_rule_gives_the_dates_that_its_page_shows(db, server):
    pairs = re.findall(
        r"^```sql(?: operator)?\n(.*?)^```\n\n^```text\n(.*?)^```", RULE.read_text(encoding="utf-8"), re.M | re.S
    )

    assert [query for query, _ in pairs] == [one.text for one in blocks(RULE)]
    for one, (_, shown) in zip(blocks(RULE), pairs, strict=True):
        runner = Runner(server, db.info.dbname, role_of(list(one.words), APP))
        assert runner.run(one) == [line.split("|") for line in shown.splitlines()], one.text
