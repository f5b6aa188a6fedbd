"""The steps about notices, reminders, and the time before a transfer or the start."""

from datetime import timedelta

from helpers.explain_calls import (
    EXPIRY,
    NOTHING,
    START,
    days,
    end_reached,
    ends_of_steps,
    explain,
    explain_json,
    holds_of,
    notice_lead,
    only,
    utc,
)
from helpers.facts import (
    insert_history,
    insert_holds,
    insert_lead,
    insert_policy,
    insert_reminders,
)


def test_a_notice_that_is_not_due_yet(unchecked):
    notice_lead(unchecked)
    steps = explain(unchecked, "2025-09-13T05:59:59Z")
    notice = only(steps, "NOTICE")
    assert notice["expires_at"] == steps[-1]["expires_at"] == end_reached(steps) == utc(EXPIRY)
    assert notice["explanation"] == (
        "The reminder was not sent yet. The protection ends no earlier than 10 days after it."
    )


def test_the_expiry_waits_for_a_notice_that_is_due(unchecked):
    notice_lead(unchecked)
    steps = explain(unchecked, "2025-10-01T12:00:00Z")
    notice = only(steps, "NOTICE")
    assert notice["expires_at"] == steps[-1]["expires_at"] == end_reached(steps) == utc("2025-10-11T12:00:00Z")
    assert notice["explanation"] == (
        "The reminder was not sent yet and is due."
        " The protection ends no earlier than 10 days after it, as if it went out now."
    )
    assert "REMINDER_DUE, not on hold" in steps[-1]["explanation"]


def test_a_hold_after_the_expiry_while_the_notice_is_owed(unchecked):
    """It moves nothing, but the lead is on hold."""
    notice_lead(unchecked)
    insert_holds(unchecked, 1, [("2025-09-25T00:00:00Z", None)])
    steps = explain(unchecked, "2025-10-01T12:00:00Z")
    assert holds_of(steps)[0][1:] == (NOTHING, "Not counted: it begins when the expiry reached so far has passed.")
    assert steps[-1]["expires_at"] == end_reached(steps) == utc("2025-10-11T12:00:00Z")
    assert "REMINDER_DUE, on hold" in steps[-1]["explanation"]


def test_a_late_notice_with_its_holds(unchecked):
    notice_lead(unchecked)
    insert_reminders(unchecked, 1, ["2025-09-20T12:00:00Z"])
    insert_holds(
        unchecked,
        1,
        [
            ("2025-02-01T00:00:00Z", "2025-02-02T00:00:00Z"),
            ("2025-09-19T12:00:00Z", "2025-09-22T12:00:00Z"),
            ("2025-10-01T00:00:00Z", "2025-10-01T06:00:00Z"),
        ],
    )
    steps = explain(unchecked)
    # Without the reminder: 23 September and 4 days; with it: 20 September, 10 days, and what stops it from then on.
    assert ends_of_steps(steps, "base")[-1] == ("HOLD", NOTHING, utc("2025-09-27T08:00:00Z"))
    assert ends_of_steps(steps, "notice") == [
        ("NOTICE", days(10), utc("2025-09-30T12:00:00Z")),
        ("HOLD", NOTHING, utc("2025-09-30T12:00:00Z")),
        ("HOLD", days(2), utc("2025-10-02T12:00:00Z")),
        ("HOLD", timedelta(hours=6), utc("2025-10-02T18:00:00Z")),
    ]
    assert [step["explanation"] for step in steps if step["clock"] == "notice"] == [
        "The reminder was sent at 2025-09-20 14:00: + 10 days.",
        "Not counted: it ended before the reminder was sent.",
        "Counted from 2025-09-20 14:00 to 2025-09-22 14:00: 2 days. What lies before the reminder was sent does not.",
        "Counted in full: 6 h.",
    ]
    assert only(steps, "NOTICE")["explanation"] == "The later of the two: the expiry waits for the notice."
    reminder = only(steps, "REMINDER")
    assert (reminder["from_at"], reminder["until_at"]) == (utc("2025-09-17T06:00:00Z"), utc("2025-09-20T12:00:00Z"))
    assert reminder["explanation"] == "Due at 2025-09-17 08:00, 10 days before 2025-09-27. Sent at 2025-09-20 14:00."
    assert steps[-1]["expires_at"] == end_reached(steps) == utc("2025-10-02T18:00:00Z")


def test_a_notice_in_time(unchecked):
    notice_lead(unchecked, rule="parallel", extension_days=300)
    # Parallel: the base alone, without the days.
    insert_reminders(unchecked, 1, ["2025-07-05T06:00:00Z"])
    steps = explain(unchecked)
    assert only(steps, "NOTICE")["explanation"] == (
        "The later of the two: the expiry by the rule. The notice was in time."
    )
    assert steps[-1]["expires_at"] == end_reached(steps) == utc("2025-07-15T08:00:00Z")


def test_a_reminder_that_was_sent_before_the_closing(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1, closed_at="2025-09-16T00:00:00Z")
    insert_reminders(unchecked, 1, ["2025-09-13T06:00:05Z"])
    reminder = only(explain(unchecked), "REMINDER")
    assert (reminder["from_at"], reminder["until_at"]) == (None, utc("2025-09-13T06:00:05Z"))
    assert reminder["explanation"] == "None falls due: the lead is closed. Sent at 2025-09-13 08:00:05."


def test_a_reminder_for_another_date(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_reminders(unchecked, 1, ["2025-09-13T06:00:00Z"])
    insert_holds(unchecked, 1, [("2025-09-14T00:00:00Z", "2025-09-24T00:00:00Z")])
    reminder = only(explain(unchecked, "2025-09-25Z"), "REMINDER")
    assert (reminder["from_at"], reminder["until_at"]) == (utc("2025-09-23T06:00:00Z"), None)
    assert reminder["explanation"] == (
        "Due at 2025-09-23 08:00, 10 days before 2025-10-03."
        " Not sent; the one of 2025-09-13 08:00 was for another date."
    )


def test_before_and_after_a_transfer(unchecked):
    """At each instant for whom it was, under that policy, with that user's facts."""
    other = insert_policy(unchecked, name="other", base_months=1, time_zone="America/New_York")
    insert_lead(unchecked, 1, "2025-05-01T12:00:00Z", user_id=9, policy_id=other)
    insert_history(unchecked, 1, [("2025-05-01T12:00:00Z", 7, 1, START, None)])
    insert_holds(unchecked, 1, [("2025-02-01T00:00:00Z", "2025-02-03T00:00:00Z")])
    insert_holds(unchecked, 1, [("2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z")], user_id=9)

    before = explain(unchecked, "2025-05-01T11:59:59.999999Z")
    assert before[0]["explanation"].startswith("For user 7 from 2025-01-15 10:00 Europe/Berlin on. Policy standard")
    assert [text for _, _, text in holds_of(before)] == ["Counted in full: 2 days.", "Not counted: a hold of user 9."]
    assert before[-1]["expires_at"] == end_reached(before) == utc(EXPIRY) + days(2)

    after = explain(unchecked, "2025-05-01T12:00:00Z")
    assert after[0]["explanation"] == (
        "For user 9 from 2025-05-01 08:00 America/New_York on. Policy other, version 1, sequential rule."
    )
    assert [text for _, _, text in holds_of(after)] == ["Not counted: a hold of user 7.", "Counted in full: 1 day."]
    assert after[-1]["expires_at"] == end_reached(after) == utc("2025-08-11T12:00:00Z")


def test_before_the_protection_began(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    (step,) = explain(unchecked, "2025-01-15T08:59:59.999999Z")
    (recorded_at,) = unchecked.execute("SELECT recorded_at FROM lead_protection.leads").fetchone()
    assert step == {
        "step": 1,
        "clock": None,
        "item": "NOT_PROTECTED",
        "fact_id": None,
        "from_at": utc(START),
        "until_at": None,
        "moved_by": None,
        "expires_at": None,
        "explanation": "Not protected at 2025-01-15 09:59:59.999999: the protection for user 7 began at"
        " 2025-01-15 10:00 Europe/Berlin.",
        "reason": None,
        "actor_id": None,
        "entered_at": utc(recorded_at.isoformat()),
        "sentences": [
            {
                "code": "start.later",
                "parameters": {
                    "as_of": "2025-01-15T08:59:59.999999Z",
                    "user_id": 7,
                    "from": "2025-01-15T09:00:00.000000Z",
                    "zone": "Europe/Berlin",
                },
            }
        ],
    }
    answer = explain_json(unchecked, "2025-01-15T08:59:59.999999Z")
    assert (answer["user_id"], answer["policy"], answer["result"]) == (None, None, None)
    assert [step["item"] for step in answer["steps"]] == ["NOT_PROTECTED"]
    assert explain(unchecked, START)[0]["item"] == "START"
