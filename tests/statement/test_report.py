"""The page for who has no Grafana."""

import re
from xml.etree import ElementTree

import psycopg
import pytest

from helpers.calls import call, refused, row, rows
from helpers.facts import insert_lead_of_age
from helpers.jobs import run_pipeline

XHTML = "{http://www.w3.org/1999/xhtml}"


def report(db, language="en") -> ElementTree.Element:
    """The page as XML."""
    return ElementTree.fromstring(call(db, "protection_report", language)[0]["protection_report"])


def tables(page: ElementTree.Element) -> list[list[list[str]]]:
    """The rows of each table."""
    return [
        [[cell.text or "" for cell in line] for line in table.find(f"{XHTML}tbody")]
        for table in page.iter(f"{XHTML}table")
    ]


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_shows_what_the_views_say(sample, language):
    sample.execute("SET TimeZone = 'Europe/Berlin'")
    sample.execute("CALL lead_protection.run_protection_pipeline()")
    page = report(sample, language)
    health, states, next_ones, holds, *_ = tables(page)
    marks = {"✓": "ok", "!": "warn", "✗": "critical"}
    assert {line[1]: marks[line[0][0]] for line in health} == {
        one["check_name"]: one["status"]
        for one in rows(sample, "SELECT check_name, status FROM lead_protection.health")
    }
    by_state = rows(
        sample,
        "SELECT sum(leads)::text AS leads, coalesce(sum(leads) FILTER (WHERE on_hold), 0)::text AS on_hold"
        " FROM lead_protection.v_kpi_states GROUP BY state",
    )
    assert sorted(tuple(line[1:]) for line in states[:-1]) == sorted((one["leads"], one["on_hold"]) for one in by_state)
    expiring = rows(
        sample,
        "SELECT lead_id FROM lead_protection.v_user_lead_protection WHERE NOT on_hold AND closed_at IS NULL"
        " AND protection_expires_at BETWEEN now() AND now() + INTERVAL '30 days'"
        " ORDER BY protection_expires_at, lead_id LIMIT 15",
    )
    assert [int(line[0]) for line in next_ones] == [one["lead_id"] for one in expiring]
    oldest = rows(sample, "SELECT lead_id FROM lead_protection.v_active_holds ORDER BY start_at, hold_id LIMIT 15")
    assert [int(line[0]) for line in holds] == [one["lead_id"] for one in oldest]
    assert len(list(page.iter("{http://www.w3.org/2000/svg}svg"))) == 3


def test_what_is_wrong_comes_first_with_what_to_do(db):
    insert_lead_of_age(db, 1, 1)
    # Else, a while after the installation, that it never did would be worse.
    run_pipeline(db)
    db.execute("SELECT lead_protection.pause_protection('maintenance', 5)")
    page = report(db, "de")
    first = tables(page)[0][0]
    wrong = row(db, "SELECT count(*) AS n FROM lead_protection.health WHERE status <> 'ok'")["n"]
    assert wrong > 0 and first[1] == "paused" and first[3]
    assert f"{wrong} von" in "".join(page.itertext())


def test_an_empty_database_has_a_page(db):
    text = "".join(report(db).itertext())
    assert "None ends within 30 days." in text and "No hold is in force." in text and "No reminder fell due." in text
    assert not re.search(r"NaN|null|Infinity", text)


def test_bad_input_is_refused(db):
    refused("LP001", report, db, None)
    refused("LP062", report, db, "fr")


def test_an_application_may_not(db):
    db.execute("SET ROLE lead_protection_app")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            report(db)
    finally:
        db.execute("RESET ROLE")
