"""`lead-protection statement` and `report` write what the database makes."""

import pytest

from helpers.calls import row
from helpers.command_line import run_cli, run_ok
from helpers.facts import insert_lead_of_age


def test_a_statement_is_printed_or_written(db, database_url, tmp_path):
    insert_lead_of_age(db, 1, 10)
    at = "2026-11-20 12:00"
    made = "SELECT lead_protection.protection_statement(1, %s, %s, %s) AS page"
    db.execute("SET TimeZone = 'Europe/Berlin'")
    printed = run_ok("statement", "1", "--as-of", at, "--database", database_url)
    assert printed == row(db, made, at, "de", "markdown")["page"]
    target = tmp_path / "statement.html"
    said = run_ok(
        "statement", "1", "--as-of", at, "--language", "en", "--output", str(target), "--database", database_url
    )
    assert said == f"Written: {target}\n"
    assert target.read_text(encoding="utf-8") == row(db, made, at, "en", "html")["page"]


def test_a_statement_of_a_user_and_a_report(db, database_url, tmp_path):
    insert_lead_of_age(db, 1, 10)
    period = ("--from", "2026-01-01", "--until", "2026-06-01")
    page = run_ok("statement", "--user", "7", *period, "--language", "en", "--database", database_url)
    assert page.startswith("# Statement of the leads of user 7\n")
    assert "from 2026-01-01 00:00 until before 2026-06-01 00:00" in page, "days of the policy's zone"
    page = run_ok("report", "--database", database_url)
    assert page.startswith("<!DOCTYPE html>") and "Lagebericht" in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "of what? Give the number of a lead"),
        (("1", "--user", "7"), "of what? Give the number of a lead"),
        (("--user", "7"), "a statement of a user has a period"),
        (("--user", "7", "--from", "2026-01-01", "--until", "2026-02-01", "--as-of", "2026-01-05"), "no --as-of"),
        (("1", "--from", "2026-01-01"), "--from and --until are for --user"),
        (("one",), "a number is wanted"),
    ],
)
def test_called_wrongly_it_says_how(database_url, arguments, told):
    status, output = run_cli("statement", *arguments, "--database", database_url)
    assert status == 2 and told in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("statement", "99"), "(LP002)"),
        (("statement", "1", "--language", "fr"), "(LP062)"),
        (("statement", "--user", "7", "--from", "2026-02-01", "--until", "2026-01-01"), "(LP006)"),
        (("report", "--language", "fr"), "(LP062)"),
    ],
)
def test_what_the_database_refuses_is_told(db, database_url, arguments, told):
    insert_lead_of_age(db, 1, 10)
    status, output = run_cli(*arguments, "--database", database_url)
    assert status == 1 and told in output and "Traceback" not in output


def test_it_says_what_is_missing(db, database_url, empty_database_url, tmp_path):
    insert_lead_of_age(db, 1, 10)
    status, output = run_cli("report", "--database", empty_database_url)
    assert status == 1 and "run apply" in output
    status, output = run_cli("statement", "1", "--output", str(tmp_path / "no" / "x.html"), "--database", database_url)
    assert status == 1 and "cannot write" in output
    status, output = run_cli("statement", "1", "--as-of", "yesterdai", "--database", database_url)
    assert status == 1 and "Traceback" not in output
