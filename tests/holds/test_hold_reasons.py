"""Reasons of holds: a catalog that is extended by data, and that no other spelling slips past."""

import pytest

from helpers.calls import call, refused, row, rows
from helpers.facts import events
from helpers.hold_calls import (
    consistent,
    correct,
    create,
    from_now,
)
from helpers.hold_limits import shown
from helpers.lead_calls import logged, payload
from helpers.project import PROJECT
from helpers.rows import written

# --- reasons ---


def test_the_shipped_reasons_are_those_of_every_company(db):
    shipped = rows(db, "SELECT code, stops_clock FROM lead_protection.hold_reasons ORDER BY code")
    assert [tuple(r.values()) for r in shipped] == [
        ("CLOSED_BY_MISTAKE", False),
        ("CUSTOMER_BLOCKED", True),
        ("OTHER", True),
        ("PRICE_APPROVAL", True),
        ("SAMPLE_DELAY", True),
        ("SUPPLY_ISSUE", True),
        ("USER_NEEDS_TIME", False),
    ]


def test_those_of_freshfoodz_are_rows_of_an_example_that_can_be_run_again(lead):
    for _ in range(2):
        lead.execute((PROJECT / "examples" / "freshfoodz.sql").read_text(encoding="utf-8"))
    answer = create(lead, reason="ffz_price_approval")
    assert (answer["reason"], answer["reason_code"]) == ("FFZ_PRICE_APPROVAL", "FFZ_PRICE_APPROVAL")


SPELLINGS = [
    "{}",
    "{lower}",
    "{spaced}",
    "{lower_spaced}",
    "{hyphened}",
    " {lower} ",
    "{together}",
    "{spaced}.",
    "\t{}\n",
]


def spelled(code, spelling):
    return spelling.format(
        code,
        lower=code.lower(),
        spaced=code.replace("_", " "),
        lower_spaced=code.lower().replace("_", "  "),
        hyphened=code.title().replace("_", " - "),
        together=code.replace("_", ""),
    )


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_equals_a_code_is_that_code(lead, spelling):
    for code in ("USER_NEEDS_TIME", "CLOSED_BY_MISTAKE"):
        refused("LP031", create, lead, reason=spelled(code, spelling))
        refused("LP031", call, lead, "hold_leads", "k", spelled(code, spelling), 1, [1])
    refused("LP004", create, lead, reason=spelled("OTHER", spelling))
    answer = create(lead, reason=spelled("PRICE_APPROVAL", spelling))
    assert (answer["reason"], answer["reason_code"]) == ("PRICE_APPROVAL", "PRICE_APPROVAL")
    assert logged(lead, "lead.hold.created")["reason"] == "PRICE_APPROVAL"


def test_many_holds_are_filed_alike(lead):
    call(lead, "hold_leads", "k", "supply issue", 1, [1])
    assert row(lead, "SELECT reason, reason_code FROM lead_protection.lead_holds") == {
        "reason": "SUPPLY_ISSUE",
        "reason_code": "SUPPLY_ISSUE",
    }


@pytest.mark.parametrize("words", ["the price waits for approval", "price approval, again", "no time", "!?"])
def test_words_that_only_contain_a_code_are_words(lead, words):
    answer = create(lead, reason=words)
    assert (answer["reason"], answer["reason_code"]) == (words, "OTHER")


def test_of_two_codes_that_are_alike_the_one_is_taken_that_is_written(lead):
    lead.execute("INSERT INTO lead_protection.hold_reasons VALUES ('PRICEAPPROVAL', false, 'x')")
    assert create(lead, reason="PRICE_APPROVAL")["reason_code"] == "PRICE_APPROVAL"
    refused("LP031", create, lead, reason="price approval", start_at=from_now(-9), end_at=from_now(-8))


def test_a_correction_gives_another_reason(lead):
    hold = create(lead, reason="in my own words", start_at=from_now(-5), end_at=from_now(-1))
    before = shown(lead)
    same = {"start_at": hold["start_at"], "end_at": hold["end_at"]}
    answer = correct(lead, hold["hold_id"], 1, **same, reason="filed wrongly", hold_reason="supply issue")
    assert answer["changed"] and shown(lead) == before
    kept = row(lead, "SELECT reason, reason_code, version FROM lead_protection.lead_holds")
    assert kept == {"reason": "SUPPLY_ISSUE", "reason_code": "SUPPLY_ISSUE", "version": 2}
    assert logged(lead, "lead.hold.corrected")["reason"] == "filed wrongly"
    told = payload(lead, "lead.hold.corrected")
    assert (told["reason_code_before"], told["reason_code"]) == ("OTHER", "SUPPLY_ISSUE")
    assert correct(lead, hold["hold_id"], 2, **same, hold_reason="SUPPLY_ISSUE")["changed"] is False
    # Words after words: the code stays, and so nothing is told of it.
    correct(lead, hold["hold_id"], 2, **same, hold_reason="a strike")
    assert row(lead, "SELECT reason, reason_code FROM lead_protection.lead_holds") == {
        "reason": "a strike",
        "reason_code": "OTHER",
    }
    consistent(lead)


def test_a_correction_without_one_keeps_the_reason(lead):
    hold = create(lead, reason="SUPPLY_ISSUE", start_at=from_now(-5), end_at=from_now(-1))
    correct(lead, hold["hold_id"], 1, from_now(-6), hold["end_at"])
    assert row(lead, "SELECT reason_code FROM lead_protection.lead_holds")["reason_code"] == "SUPPLY_ISSUE"
    assert "reason_code" not in payload(lead, "lead.hold.corrected")


@pytest.mark.parametrize(
    ("sqlstate", "reason"),
    [("LP031", "User needs time"), ("LP030", "NO_SUCH_CODE"), ("LP004", " "), ("LP004", "other")],
)
def test_a_correction_to_a_reason_that_may_not_be_is_refused(lead, sqlstate, reason):
    hold = create(lead, reason="SUPPLY_ISSUE", start_at=from_now(-5), end_at=from_now(-1))
    before = written(lead)
    refused(sqlstate, correct, lead, hold["hold_id"], 1, hold["start_at"], hold["end_at"], hold_reason=reason)
    assert written(lead) == before


def test_a_dry_run_of_another_reason_changes_nothing(lead):
    hold = create(lead, reason="SUPPLY_ISSUE", start_at=from_now(-5), end_at=from_now(-1))
    same = (hold["hold_id"], 1, hold["start_at"], hold["end_at"])
    assert correct(lead, *same, hold_reason="a strike", dry_run=True)["changed"] is True
    assert events(lead) == ["lead.hold.created"]
    assert row(lead, "SELECT reason FROM lead_protection.lead_holds")["reason"] == "SUPPLY_ISSUE"


def test_a_code_is_filed_under_itself_and_words_under_other(lead):
    assert create(lead, reason="PRICE_APPROVAL")["reason_code"] == "PRICE_APPROVAL"
    words = create(lead, reason="waits for the boss", start_at=from_now(3), end_at=from_now(4))
    assert (words["reason"], words["reason_code"]) == ("waits for the boss", "OTHER")


def test_the_catalog_is_extended_by_data(lead):
    refused("LP030", create, lead, reason="A_STRIKE")
    lead.execute("INSERT INTO lead_protection.hold_reasons VALUES ('A_STRIKE', true, 'A strike.')")
    assert create(lead, reason="A_STRIKE")["reason_code"] == "A_STRIKE"


def test_a_reason_that_no_longer_stops_the_clock_moves_no_hold(lead):
    create(lead, reason="SUPPLY_ISSUE", start_at=from_now(-5), end_at=from_now(-1))
    before = shown(lead)
    lead.execute("UPDATE lead_protection.hold_reasons SET stops_clock = false WHERE code = 'SUPPLY_ISSUE'")
    refused("LP031", create, lead, reason="SUPPLY_ISSUE")
    assert shown(lead) == before
    consistent(lead)


def test_free_text_stops_the_clock_only_if_other_does(lead):
    lead.execute("UPDATE lead_protection.hold_reasons SET stops_clock = false WHERE code = 'OTHER'")
    refused("LP031", create, lead, reason="in my own words")
    assert create(lead, reason="SUPPLY_ISSUE")["created"] is True
