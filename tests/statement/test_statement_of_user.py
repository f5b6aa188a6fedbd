"""All leads of a user in a period, each as it stood at its end or when the user ceased to have it."""

import re
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from psycopg.types.datetime import TimestamptzLoader

from helpers.calls import call, refused, rows
from helpers.facts import ago, insert_extensions, insert_holds, insert_lead_of_age

FIRST, LAST = ago(400), ago(-1)


def page_of(db, user_id=7, from_at=FIRST, until_at=LAST, language="en", page_format="markdown") -> str:
    """The statement, in English Markdown unless told otherwise."""
    ((page,),) = [
        tuple(one.values()) for one in call(db, "statement_of_user", user_id, from_at, until_at, language, page_format)
    ]
    return page


def leads(page: str) -> dict[int, list[str]]:
    """The lines of the leads by the number of the lead."""
    (table,) = re.findall(r"(?ms)^## Leads\n\n(.*?)\n\n", page)
    lines = [line[2:-2].split(" | ") for line in table.splitlines()[2:]]
    return {int(line[0]): line for line in lines}


def summary(page: str) -> dict[str, tuple[str, str]]:
    """How many leads there are in each state, and of these on hold."""
    (table,) = re.findall(r"(?ms)^## Summary\n\n(.*?)\n\n", page)
    return {line[2:-2].split(" | ")[0]: tuple(line[2:-2].split(" | ")[1:]) for line in table.splitlines()[2:]}


@pytest.fixture(autouse=True)
def berlin(db):
    db.execute("SET TimeZone = 'Europe/Berlin'")
    db.adapters.register_loader("timestamptz", TimestamptzLoader)


@pytest.mark.slow("all users of the sample")
def test_each_lead_of_the_sample_stands_as_the_rule_has_it_at_the_end_of_the_period(sample):
    """For each user; what had ended before the period is none of it."""
    until_at, from_at = ago(20), ago(60)
    words = {
        row["text"]: row["code"][6:]
        for row in rows(
            sample,
            "SELECT code, text FROM lead_protection.statement_texts WHERE language = 'en' AND code LIKE 'state.%%'",
        )
    }
    told = 0
    for user_id in range(101, 115):
        expected = rows(
            sample,
            "SELECT * FROM lead_protection.protection_as_of(%s) AS p WHERE p.user_id = %s AND least(p.closed_at,"
            " CASE WHEN p.state = 'EXPIRED' THEN p.protection_expires_at END, 'infinity') > %s",
            (until_at, user_id, from_at),
        )
        page = page_of(sample, user_id, from_at, until_at)
        shown = leads(page)
        assert sorted(shown) == sorted(one["lead_id"] for one in expected)
        for one in expected:
            _, began, policy, end, state, *_ = shown[one["lead_id"]]
            assert began == f"{one['created_at']:%Y-%m-%d %H:%M}"
            assert end == f"{one['protection_expires_at']:%Y-%m-%d %H:%M}"
            assert policy == f"{one['policy_name']} {one['policy_version']}"
            first, *more = state.split("; ")
            assert words[first] == one["state"] and ("on hold" in more) == one["on_hold"]
            told += 1
        assert summary(page)["Together"] == (str(len(expected)), str(sum(one["on_hold"] for one in expected)))
    assert told > 100


def test_what_left_the_user_stands_as_it_was_then(db):
    insert_lead_of_age(db, 1, 20)
    insert_lead_of_age(db, 2, 20)
    db.execute(
        "SELECT lead_protection.transfer_lead(1, 7, 8, 'moved', 5), lead_protection.give_back_lead(2, 7, 'x', 5)"
    )
    mine, theirs = page_of(db), page_of(db, 8)
    assert summary(mine) == {"given up": ("2", "0"), "Together": ("2", "0")}
    assert all(re.match(r"protected; given up \d{4}-", leads(mine)[lead_id][4]) for lead_id in (1, 2))
    assert list(leads(theirs)) == [1] and leads(theirs)[1][4] == "protected"
    assert page_of(db, until_at=ago(0.5)).count("given up") == 0, "not yet, at the end of that period"


def test_holds_extensions_and_closings_are_told(db):
    insert_lead_of_age(db, 1, 100)
    insert_holds(db, 1, [(ago(50), ago(50) + timedelta(hours=74)), (ago(30), ago(30) + timedelta(hours=24))])
    insert_extensions(db, 1, [(ago(20), 5)])
    db.execute("SELECT lead_protection.close_lead(1, 7, 'CONVERTED', 'bought', 5)")
    *_, state, stopped, extended, reminded = leads(page_of(db))[1]
    assert re.match(r"closed; converted \d{4}-\d\d-\d\d \d\d:\d\d$", state)
    assert (stopped, extended) == ("4 days 2 h", "5 days")
    assert reminded.strip() == ""


def test_a_user_without_leads_gets_a_page_that_says_so(db):
    assert "No lead was protected for the user in that time." in page_of(db, 4711)
    assert "kein Lead geschützt" in page_of(db, 4711, language="de", page_format="html")


def test_the_page_has_the_same_facts_in_each_form(sample):
    until_at = ago(0)
    pages = [
        page_of(sample, 101, until_at=until_at, language=language, page_format=form)
        for language in ("de", "en")
        for form in ("markdown", "html")
    ]
    assert len({re.search(r"\b[0-9a-f]{64}\b", page)[0] for page in pages}) == 1
    ElementTree.fromstring(pages[1])
    assert leads(pages[2])


@pytest.mark.parametrize(
    ("sqlstate", "arguments"),
    [
        ("LP001", {"user_id": None}),
        ("LP001", {"from_at": None}),
        ("LP001", {"until_at": None}),
        ("LP005", {"from_at": "-infinity"}),
        ("LP005", {"until_at": "infinity"}),
        ("LP006", {"until_at": FIRST}),
        ("LP062", {"language": "fr"}),
        ("LP077", {"page_format": "pdf"}),
    ],
)
def test_bad_input_is_refused(db, sqlstate, arguments):
    refused(sqlstate, page_of, db, **arguments)
