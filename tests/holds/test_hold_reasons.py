"""Reasons of holds: a catalog that is extended by data."""

from helpers.calls import refused
from helpers.hold_calls import (
    consistent,
    create,
    from_now,
)
from helpers.hold_limits import shown

# --- reasons ---


def test_a_code_is_filed_under_itself_and_words_under_other(lead):
    assert create(lead, reason="FFZ_PRICE_APPROVAL")["reason_code"] == "FFZ_PRICE_APPROVAL"
    words = create(lead, reason="waits for the boss", start_at=from_now(3), end_at=from_now(4))
    assert (words["reason"], words["reason_code"]) == ("waits for the boss", "OTHER")


def test_the_catalog_is_extended_by_data(lead):
    refused("LP030", create, lead, reason="FFZ_STRIKE")
    lead.execute("INSERT INTO lead_protection.hold_reasons VALUES ('FFZ_STRIKE', true, 'A strike.')")
    assert create(lead, reason="FFZ_STRIKE")["reason_code"] == "FFZ_STRIKE"


def test_a_reason_that_no_longer_stops_the_clock_moves_no_hold(lead):
    create(lead, reason="FFZ_SUPPLY_ISSUE", start_at=from_now(-5), end_at=from_now(-1))
    before = shown(lead)
    lead.execute("UPDATE lead_protection.hold_reasons SET stops_clock = false WHERE code = 'FFZ_SUPPLY_ISSUE'")
    refused("LP031", create, lead, reason="FFZ_SUPPLY_ISSUE")
    assert shown(lead) == before
    consistent(lead)


def test_free_text_stops_the_clock_only_if_other_does(lead):
    lead.execute("UPDATE lead_protection.hold_reasons SET stops_clock = false WHERE code = 'OTHER'")
    refused("LP031", create, lead, reason="in my own words")
    assert create(lead, reason="FFZ_SUPPLY_ISSUE")["created"] is True
