"""A statement tells the dates of the rule, in each state, language and format, and nothing that anybody slipped in."""

import re
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from psycopg.types.datetime import TimestamptzLoader

from helpers.calls import call, refused, row, rows
from helpers.facts import ago, insert_lead_of_age
from helpers.hold_calls import correct, create, span, void

LANGUAGES = ("de", "en")
HOSTILE = "<script>alert('x')</script> | **bold** [here](javascript:alert(1)) &amp; `code` \\| €"


def statement(db, lead_id=1, **named) -> str:
    """A statement, English Markdown as of now unless told otherwise."""
    ((page,),) = [
        tuple(one.values()) for one in call(db, "protection_statement", lead_id=lead_id, **({"language": "en"} | named))
    ]
    return page


def section(page: str, heading: str) -> str:
    """What stands below a heading of a page in Markdown."""
    (below,) = re.findall(rf"(?ms)^## {re.escape(heading)}\n\n(.*?)(?=^## |\Z)", page)
    return below


def cells(table: str) -> list[list[str]]:
    """The rows of a table in Markdown, without its head."""
    return [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]


def checksum(page: str) -> str:
    (found,) = re.findall(r"\b[0-9a-f]{64}\b", page)
    return found


def answer(page: str) -> str:
    """The sentence that answers."""
    (found,) = re.findall(r"(?m)^\*\*(.*)\*\*$", page)
    return found


def minute(instant) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


@pytest.fixture(autouse=True)
def berlin(db):
    """Instants come as they are told."""
    db.execute("SET TimeZone = 'Europe/Berlin'")
    db.adapters.register_loader("timestamptz", TimestamptzLoader)


@pytest.mark.slow("four pages for each of dozens of leads")
def test_each_lead_of_the_sample_has_the_dates_of_the_view_in_each_form(sample):
    """Of each state, rule and policy, on hold and not, some."""
    at = row(sample, "SELECT now() AS at")["at"]
    (leads,) = row(
        sample,
        "SELECT array_agg(x.lead_id) AS ids FROM (SELECT v.lead_id, row_number() OVER ("
        " PARTITION BY v.state, v.on_hold, v.policy_id,"
        " EXISTS (SELECT FROM lead_protection.lead_holds AS h WHERE h.lead_id = v.lead_id),"
        " EXISTS (SELECT FROM lead_protection.lead_extensions AS e WHERE e.lead_id = v.lead_id) ORDER BY v.lead_id)"
        " FROM lead_protection.v_user_lead_protection AS v) AS x WHERE x.row_number <= 2",
    ).values()
    pages = {
        form: {
            one["lead_id"]: one["page"]
            for one in rows(
                sample,
                "SELECT lead_id, lead_protection.protection_statement(lead_id, %s, %s, %s) AS page"
                " FROM lead_protection.v_user_lead_protection WHERE lead_id = ANY(%s)",
                (at, *form, leads),
            )
        }
        for form in [(language, page_format) for language in LANGUAGES for page_format in ("markdown", "html")]
    }
    # At the same instant: of a clock that stands still the end moves on.
    shown = "SELECT * FROM lead_protection.user_lead_protection(%s) WHERE lead_id = ANY(%s)"
    leads = rows(sample, shown, [at, leads])
    assert {lead["state"] for lead in leads} == {"PROTECTED", "REMINDER_DUE", "GRACE", "EXPIRED", "CLOSED"}
    for lead in leads:
        here = {form: pages[form][lead["lead_id"]] for form in pages}
        end = lead["protection_expires_at"]
        english, german = here["en", "markdown"], here["de", "markdown"]
        result = cells(section(english, "How the date comes about"))[-1]
        assert result[1] == "Result" and result[3] == minute(end)
        assert f"{end:%d.%m.%Y, %H:%M} Uhr" in cells(section(german, "Berechnung des Fristendes"))[-1][3]
        if lead["state"] != "CLOSED":
            assert minute(end) in answer(english) and f"{end:%d.%m.%Y, %H:%M} Uhr" in answer(german)
        assert str(lead["user_id"]) in answer(english)
        # To the minute, and in no words that a program would use.
        assert not re.search(r"\d\d:\d\d:\d\d|None(?! falls)|null|\{[a-z_:]*\}", english + german)
        for (_, page_format), page in here.items():
            assert checksum(page) == checksum(english)
            if page_format == "html":
                root = ElementTree.fromstring(page)
                assert root.find(".//{http://www.w3.org/2000/svg}svg") is not None
                assert not re.search(r"(src|href)=|url\((?!#)", page), "one page, without anything from elsewhere"


def test_the_answer_in_each_state(db):
    insert_lead_of_age(db, 1, 10)
    begun = ago(10)
    assert re.match(r"Lead 1 is protected for user 7 under policy standard, version 1", answer(statement(db)))
    create(db)
    assert "The clock stands still; if the hold ended now" in answer(statement(db))
    db.execute("SELECT lead_protection.close_lead(1, 7, 'CONVERTED', 'bought', 5)")
    assert "closed" in answer(statement(db))
    assert "closed" not in answer(statement(db, as_of=ago(0.01)))
    not_begun = statement(db, as_of=begun - timedelta(days=1))
    assert "not" in answer(not_begun) and "## Contract" not in not_begun
    insert_lead_of_age(db, 2, 300)
    assert "ended at" in answer(statement(db, 2))
    insert_lead_of_age(db, 3, 10)
    db.execute("SELECT lead_protection.give_back_lead(3, 7, 'no time', 5)")
    assert "nobody" in answer(statement(db, 3)) or "free" in answer(statement(db, 3))


def test_a_hold_says_what_counted_who_entered_it_and_that_it_was_afterwards(db):
    insert_lead_of_age(db, 1, 100)
    at_once = create(db, reason="PRICE_APPROVAL", actor_id=11)
    late = create(db, reason=HOSTILE, actor_id=12, **dict(zip(("start_at", "end_at"), span(-50, -40), strict=True)))
    start_at, end_at = span(-50, -45)
    correct(db, late["hold_id"], late["version"], start_at, end_at, actor_id=13)
    void(db, at_once["hold_id"], at_once["version"], actor_id=14)
    first, second = cells(section(statement(db), "Holds"))
    assert first[0] == str(late["hold_id"]) and "5 days" in first[4]
    assert "by 12" in first[5] and "after the fact" in first[5] and "13" in first[5]
    assert second[3] == "price approval" and "void" in second[4]
    assert "by 11" in second[5] and "after the fact" not in second[5] and "14" in second[5]


def test_what_somebody_entered_becomes_no_markup(db):
    insert_lead_of_age(db, 1, 100)
    create(db, reason=HOSTILE)
    page = statement(db, format="html")
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    shown = [td.text for td in ElementTree.fromstring(page).iter("{http://www.w3.org/1999/xhtml}td")]
    assert HOSTILE in shown, "to the letter"
    (hold,) = cells(section(statement(db), "Holds"))
    assert len(hold) == 6 and "<" not in re.sub(r"\\.", "", hold[3]) and "*" not in re.sub(r"\\.", "", hold[3])


def test_what_was_shown_at_the_time_is_told_where_it_differs(db):
    insert_lead_of_age(db, 1, 100)
    heading = "What was shown at the time, where it differs"
    late = create(db, **dict(zip(("start_at", "end_at"), span(-50, -40), strict=True)))
    assert cells(section(statement(db), heading)) == []
    shown = row(db, "SELECT protection_expires_at AS at FROM lead_protection.v_user_lead_protection")["at"]
    void(db, late["hold_id"], late["version"])
    ((*_, then, now_known),) = cells(section(statement(db), heading))
    assert minute(shown) in then and minute(shown - timedelta(days=10)) in now_known


def test_a_checksum_is_that_of_the_facts(db):
    insert_lead_of_age(db, 1, 100)
    at = ago(1)
    before = checksum(statement(db, as_of=at))
    assert before == checksum(statement(db, as_of=at, language="de", format="html"))
    assert before != checksum(statement(db, as_of=ago(2)))
    db.execute("SET TimeZone = 'Asia/Tokyo'")
    db.execute("SET DateStyle = 'German, DMY'")
    db.execute("SET IntervalStyle = 'iso_8601'")
    assert before == checksum(statement(db, as_of=at))
    db.execute("RESET DateStyle")
    create(db, **dict(zip(("start_at", "end_at"), span(-50, -40), strict=True)))
    assert before != checksum(statement(db, as_of=at))


def test_reasons_of_the_log_are_for_those_who_may_read_it(db):
    insert_lead_of_age(db, 1, 10)
    db.execute("SELECT lead_protection.transfer_lead(1, 7, 8, 'he is rude', 5)")
    reasons = {}
    pages = set()
    for role in ("app", "operator"):
        db.execute(f"SET ROLE lead_protection_{role}")
        reasons[role] = [one["reason"] for one in call(db, "explain_protection", 1) if one["reason"]]
        pages.add(statement(db, as_of=row(db, "SELECT date_trunc('day', now()) + INTERVAL '1 day' AS at")["at"]))
        db.execute("RESET ROLE")
    assert reasons == {"app": [], "operator": ["he is rude"]}
    (page,) = pages
    assert "rude" not in page


def test_each_sentence_has_its_words_in_each_language(db):
    texts = rows(db, "SELECT code, language, text FROM lead_protection.statement_texts")
    assert len({(one["code"], one["language"]) for one in texts}) == len(texts)
    named = {
        language: {
            one["code"]: sorted(re.findall(r"\{([a-z_]+)", one["text"])) for one in texts if one["language"] == language
        }
        for language in LANGUAGES
    }
    assert named["de"] == named["en"], "the same parameters"


@pytest.mark.slow("each lead of the sample")
def test_explanations_are_data_whose_words_are_the_explanation(sample):
    different = rows(
        sample,
        "SELECT x.* FROM lead_protection.leads AS l CROSS JOIN LATERAL lead_protection.explain_protection(l.id) AS x"
        " WHERE x.sentences IS NULL OR jsonb_array_length(x.sentences) = 0 OR x.explanation IS NULL",
    )
    assert different == []
    lead = row(sample, "SELECT min(lead_id) AS id FROM lead_protection.lead_holds")["id"]
    at = ago(0)
    for step, other in zip(
        call(sample, "explain_protection", lead, at),
        row(sample, "SELECT lead_protection.explain_protection_json(%s, %s) AS answer", lead, at)["answer"]["steps"],
        strict=True,
    ):
        assert [step[name] for name in ("sentences", "reason", "actor_id")] == [
            other[name] for name in ("sentences", "reason", "actor_id")
        ]


@pytest.mark.parametrize(
    ("sqlstate", "named"),
    [
        ("LP001", {"lead_id": None}),
        ("LP001", {"as_of": None}),
        ("LP001", {"language": None}),
        ("LP001", {"format": None}),
        ("LP002", {"lead_id": 99}),
        ("LP005", {"as_of": "1899-01-01"}),
        ("LP062", {"language": "fr"}),
        ("LP077", {"format": "pdf"}),
    ],
)
def test_bad_input_is_refused(db, sqlstate, named):
    insert_lead_of_age(db, 1, 10)
    refused(sqlstate, statement, db, **named)
