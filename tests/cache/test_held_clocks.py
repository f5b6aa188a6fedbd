"""A hold moves its lead's clock by the terms that the cache has: to what the rule derives from all facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helpers.facts import drift, insert_activities, insert_holds, insert_lead, insert_policy, insert_reminders

START = datetime(2025, 1, 15, 9, tzinfo=UTC)
DAY = timedelta(days=1)

TERMS: dict[str, dict[str, Any]] = {
    "sequential": {},
    "parallel": {"rule": "parallel"},
    "notice": {"notice_required": True},
    "days": {"period_end": "end_of_day", "hold_unit": "day"},
    "working days": {"period_end": "end_of_day", "expiry_on": "working_day", "remind_on": "working_day"},
    "limited": {"hold_limit_days": 30, "hold_total_limit_days": 60},
}
# What the leads have already: a closed one, one with an open hold, one that was reminded, one that was active since.
LEADS: dict[int, dict[str, Any]] = {
    **{lead_id: {} for lead_id in (1, 3, 4, 5, 7)},
    2: {"closed_at": START + 100 * DAY},
    6: {"user_id": None},
}
CHANGES = [
    "UPDATE lead_protection.lead_holds SET end_at = start_at + INTERVAL '9 days 01:00', released_by = 1"
    " WHERE end_at IS NULL",
    "UPDATE lead_protection.lead_holds SET start_at = start_at - INTERVAL '2 days'",
    "UPDATE lead_protection.lead_holds SET voided_at = now(), voided_by = 1 WHERE id % 2 = 0",
    "UPDATE lead_protection.lead_holds SET lead_id = 7 WHERE lead_id = 1",
    "DELETE FROM lead_protection.lead_holds",
]


@pytest.mark.parametrize("kind", TERMS)
def test_a_hold_moves_a_clock_to_what_the_rule_derives(unchecked, kind):
    terms = dict(TERMS[kind])
    if kind == "working days":
        newest = "SELECT max(id) FROM lead_protection.calendars WHERE code = 'DE'"
        (terms["calendar_id"],) = unchecked.execute(newest).fetchone()
    policy = insert_policy(unchecked, **terms)
    for lead_id, columns in LEADS.items():
        insert_lead(unchecked, lead_id, START, policy_id=policy, **columns)
    insert_holds(unchecked, 3, [(START + 20 * DAY, None)])
    insert_reminders(unchecked, 4, [START + 250 * DAY])
    insert_activities(unchecked, 5, [START + 40 * DAY])

    def as_derived() -> bool:
        return drift(unchecked) == []

    assert as_derived()
    for lead_id in LEADS:
        insert_holds(unchecked, lead_id, [(START + 50 * DAY, START + 55 * DAY + timedelta(hours=7))])
        insert_holds(unchecked, lead_id, [] if lead_id == 3 else [(START + 60 * DAY, None)])
    assert as_derived()
    for change in CHANGES:
        unchecked.execute(change)
        assert as_derived(), change


def test_a_hold_that_moves_the_due_instant_past_a_notice_makes_it_owed_again(unchecked):
    insert_lead(unchecked, 1, START, policy_id=insert_policy(unchecked, notice_required=True))
    insert_reminders(unchecked, 1, [START + 245 * DAY])
    noticed = "SELECT noticed_at IS NOT NULL, owed_notice_days FROM lead_protection.lead_clocks WHERE lead_id = 1"
    assert unchecked.execute(noticed).fetchone() == (True, None)

    insert_holds(unchecked, 1, [(START + 50 * DAY, START + 80 * DAY)])

    assert unchecked.execute(noticed).fetchone() == (False, 10)
    assert drift(unchecked) == []


def test_a_hold_that_moves_the_window_to_that_of_an_earlier_reminder_finds_it(unchecked):
    """The ledger takes no second reminder for the window, though the user's protection has begun since."""
    insert_lead(unchecked, 1, START, policy_id=1)
    (window,) = unchecked.execute("SELECT window_date FROM lead_protection.lead_clocks WHERE lead_id = 1").fetchone()
    unchecked.execute(
        "INSERT INTO lead_protection.lead_reminders"
        " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)"
        " VALUES (1, 7, %s, %s, %s, %s)",
        (window + 30 * DAY, START, START - 20 * DAY, START - 20 * DAY),
    )
    reminded = "SELECT reminded_window FROM lead_protection.lead_clocks WHERE lead_id = 1"
    assert unchecked.execute(reminded).fetchone() == (None,)

    insert_holds(unchecked, 1, [(START + 50 * DAY, START + 80 * DAY)])

    assert unchecked.execute(reminded).fetchone() == (window + 30 * DAY,)
    assert drift(unchecked) == []


def test_a_hold_of_a_lead_whose_clock_is_missing_makes_the_clock(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    unchecked.execute("DELETE FROM lead_protection.lead_clocks")

    insert_holds(unchecked, 1, [(START + 50 * DAY, None)])

    assert unchecked.execute("SELECT lead_id, open_hold_from FROM lead_protection.lead_clocks").fetchall() == [
        (1, START + 50 * DAY)
    ]
