"""Statements and reports in a real browser: nothing overflows, nothing is empty, A4 when printed.

With LEAD_PROTECTION_WRITE_PICTURES=1 the pictures of docs/statements.md are drawn anew.
"""

import os
import re
from collections.abc import Iterator

import pytest

from helpers.browser import Browser, colours, running
from helpers.calls import call
from helpers.facts import ago, insert_holds, insert_lead_of_age
from helpers.guards import but_by_night
from helpers.project import PROJECT

pytestmark = pytest.mark.slow("a real browser")

A4 = {(595, 842)}
WIDE = 820
# The first part of a page, as docs/statements.md shows it.
PICTURES = {"statement.png": 1000, "user-statement.png": 700, "report.png": 1180}


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """One for all tests."""
    with running(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def pages(db, language) -> dict[str, str]:
    """A statement of a lead with holds, one of a user, and the report."""
    lead = db.execute(
        "SELECT h.lead_id FROM lead_protection.lead_holds AS h INNER JOIN lead_protection.v_user_lead_protection AS v"
        " ON v.lead_id = h.lead_id WHERE v.state = 'PROTECTED' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    ).fetchone()[0]
    made = {
        "statement.png": call(db, "protection_statement", lead_id=lead, language=language, format="html"),
        "user-statement.png": call(db, "statement_of_user", 101, ago(60), ago(-1), language, "html"),
        "report.png": call(db, "protection_report", language),
    }
    return {name: next(iter(answer[0].values())) for name, answer in made.items()}


@pytest.mark.parametrize(
    "language",
    but_by_night(
        ["de", "en"],
        ["de"],
        "the shorter words",
        "statement/test_in_a_browser.py::test_pages_are_whole_and_in_their_room",
    ),
)
def test_pages_are_whole_and_in_their_room(sample, browser, language):
    sample.execute("CALL lead_protection.run_protection_pipeline()")
    for name, page in pages(sample, language).items():
        for width in (WIDE, 1400):
            seen = browser.look(page, width)
            assert seen["faults"] == [], (name, width)
            assert seen["height"] > 600
        png = browser.picture(page, WIDE, PICTURES[name])
        assert colours(png) > 20, f"{name} is empty"
        if language == "de" and os.environ.get("LEAD_PROTECTION_WRITE_PICTURES"):
            (PROJECT / "docs" / name).write_bytes(png)
        pdf = browser.printed(page)
        boxes = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        assert boxes and {(round(float(x)), round(float(y))) for x, y in boxes} == A4, (name, boxes)


def test_long_words_and_many_holds_stay_in_their_room(db, browser):
    """A reason without a blank, a thousand signs of free text, a protection of twenty years with marks side by side."""
    insert_lead_of_age(db, 1, 250)
    insert_holds(db, 1, [(ago(200 - 3 * n), ago(199 - 3 * n)) for n in range(40)])
    db.execute("SELECT lead_protection.create_lead_hold(1, 7, %s, 5)", ["Preisfreigabeverzögerung" * 10])
    db.execute("SELECT lead_protection.close_lead(1, 7, 'LOST', 'x', 5)")
    for language in ("de", "en"):
        page = call(db, "protection_statement", lead_id=1, language=language, format="html")[0]["protection_statement"]
        assert browser.look(page, WIDE)["faults"] == []


def test_a_look_finds_what_is_wrong(browser):
    wide, empty = '<p style="width:40px;white-space:nowrap">too wide for that</p>', "<h2>Nothing</h2>"
    crowded = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="200"><rect width="9" height="9"/>'
        '<text x="20" y="50">this is</text><text x="25" y="52">over that</text>'
        '<text x="590" y="90">outside</text></svg>'
    )
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{wide}{crowded}{empty}</body></html>'
    faults = browser.look(page, WIDE)["faults"]
    assert sorted(fault.split(":")[0] for fault in faults) == [
        "nothing below",
        "one over the other",
        "outside of its picture",
        "too wide",
    ]
