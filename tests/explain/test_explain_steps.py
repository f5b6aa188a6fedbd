"""The steps of an explanation, worked by hand: terms, holds, extensions, both rules."""

from datetime import timedelta

import pytest

from helpers.explain_calls import EXPIRY, NOTHING, START, days, end_reached, ends_of_steps, explain, holds_of, only, utc
from helpers.facts import (
    insert_activities,
    insert_extensions,
    insert_history,
    insert_holds,
    insert_lead,
    insert_policy,
)


def test_the_terms_of_the_sequential_rule(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    steps = explain(unchecked, "2025-09-14T12:00:00.25Z")
    assert [(step["step"], step["item"], step["clock"]) for step in steps] == [
        (1, "START", None),
        (2, "BASE", "base"),
        (3, "EXTENSION", "base"),
        (4, "GRACE", "base"),
        (5, "REMINDER", None),
        (6, "RESULT", None),
    ]
    assert steps[0]["from_at"] == utc(START)
    assert steps[0]["explanation"] == (
        "For user 7 from 2025-01-15 10:00 Europe/Berlin on. Policy standard, version 1, sequential rule."
    )
    # Summer time takes an hour from the first step: by the clock on the wall it is a whole half year.
    assert ends_of_steps(steps, "base") == [
        ("BASE", days(180, hours=23), utc("2025-07-15T08:00:00Z")),
        ("EXTENSION", days(60), utc("2025-09-13T08:00:00Z")),
        ("GRACE", days(10), utc(EXPIRY)),
    ]
    assert [step["explanation"] for step in steps[1:]] == [
        "+ 6 months.",
        "+ 60 days.",
        "+ 10 days.",
        "Due at 2025-09-13 08:00, 10 days before 2025-09-23. Not sent.",
        "At 2025-09-14 14:00:00.250000: REMINDER_DUE, not on hold. Protected until 2025-09-23 10:00 Europe/Berlin.",
    ]
    assert (steps[4]["from_at"], steps[4]["until_at"]) == (utc("2025-09-13T06:00:00Z"), None)
    assert steps[5]["expires_at"] == utc(EXPIRY)


def test_one_month_and_one_day_are_written_so(unchecked):
    policy_id = insert_policy(unchecked, base_months=1, extension_days=1, grace_days=2)
    insert_lead(unchecked, 1, "2025-01-31T12:00:00Z", policy_id=policy_id)
    steps = explain(unchecked)
    assert [step["explanation"] for step in steps[1:4]] == ["+ 1 month.", "+ 1 day.", "+ 2 days."]
    # One addition: months, then all days. Step by step from the last of February it would be the same day here.
    assert [end for _, _, end in ends_of_steps(steps, "base")] == [
        utc("2025-02-28T12:00:00Z"),
        utc("2025-03-01T12:00:00Z"),
        utc("2025-03-03T12:00:00Z"),
    ]


def test_days_are_added_to_the_start_and_not_to_the_step_before(unchecked):
    """The months end where the clock change has no such time; that hour must not stay lost."""
    policy_id = insert_policy(unchecked, base_months=1, extension_days=1, grace_days=1)
    insert_lead(unchecked, 1, "2025-02-28T01:30:00Z", policy_id=policy_id)
    insert_extensions(unchecked, 1, [("2025-03-01T00:00:00Z", 1)])
    steps = explain(unchecked)
    assert [end for _, _, end in ends_of_steps(steps, "base")] == [
        utc("2025-03-28T01:30:00Z"),
        utc("2025-03-29T01:30:00Z"),
        # 02:30 does not exist on the 30th.
        utc("2025-03-30T01:30:00Z"),
        utc("2025-03-31T00:30:00Z"),
    ]
    assert end_reached(steps) == steps[-1]["expires_at"]


def test_each_hold_and_why_its_rest_did_not_count(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_holds(
        unchecked,
        1,
        [
            ("2024-12-01T00:00:00Z", START),
            ("2025-01-10T00:00:00Z", "2025-01-20T09:00:00Z"),
            ("2025-03-01T00:00:00Z", "2025-03-11T00:00:00Z"),
            ("2025-03-05T00:00:00Z", "2025-03-08T00:00:00Z"),
            ("2025-03-06T00:00:00Z", "2025-03-16T00:00:00Z"),
            ("2025-03-16T00:00:00Z", "2025-03-16T00:00:00.000001Z"),
            ("2025-04-01T00:00:00Z", "2025-04-01T00:00:00Z"),
            ("2025-09-30T00:00:00Z", "2025-10-01T03:04:05Z"),
            ("2025-10-14T11:04:05.000001Z", "2025-10-15T00:00:00Z"),
            ("2025-11-01T00:00:00Z", None),
        ],
    )
    insert_holds(unchecked, 1, [("2025-02-01T00:00:00Z", "2025-02-05T00:00:00Z")], user_id=9)
    steps = explain(unchecked)
    assert holds_of(steps) == [
        (utc("2024-12-01T00:00:00Z"), NOTHING, "Not counted: it ended before the protection began."),
        (
            utc("2025-01-10T00:00:00Z"),
            days(5),
            "Counted from 2025-01-15 10:00 to 2025-01-20 10:00: 5 days."
            " What lies before the protection began does not.",
        ),
        (utc("2025-02-01T00:00:00Z"), NOTHING, "Not counted: a hold of user 9."),
        (utc("2025-03-01T00:00:00Z"), days(10), "Counted in full: 10 days."),
        (utc("2025-03-05T00:00:00Z"), NOTHING, "Not counted: earlier holds stop the clock for all of its time."),
        (
            utc("2025-03-06T00:00:00Z"),
            days(5),
            "Counted from 2025-03-11 01:00 to 2025-03-16 01:00: 5 days. Until then earlier holds stop the clock.",
        ),
        (utc("2025-03-16T00:00:00Z"), timedelta(microseconds=1), "Counted in full: 0.000001 s."),
        (utc("2025-04-01T00:00:00Z"), NOTHING, "Not counted: it was ended before it began."),
        (utc("2025-09-30T00:00:00Z"), days(1, hours=3, minutes=4, seconds=5), "Counted in full: 1 day 3 h 4 min 5 s."),
        (
            utc("2025-10-14T11:04:05.000001Z"),
            NOTHING,
            "Not counted: it begins when the expiry reached so far has passed.",
        ),
        (utc("2025-11-01T00:00:00Z"), NOTHING, "Not counted: it begins when the expiry reached so far has passed."),
    ]
    assert [step["until_at"] for step in steps if step["item"] == "HOLD"][-2:] == [utc("2025-10-15T00:00:00Z"), None]
    ids = unchecked.execute("SELECT id FROM lead_protection.lead_holds ORDER BY start_at, id").fetchall()
    assert [(step["fact_id"],) for step in steps if step["item"] == "HOLD"] == ids
    assert steps[-1]["expires_at"] == end_reached(steps) == utc("2025-10-14T11:04:05.000001Z")
    assert "EXPIRED, not on hold. Was protected until 2025-10-14 13:04:05.000001" in steps[-1]["explanation"]


def test_a_hold_may_be_cut_at_the_start_and_by_another(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_holds(
        unchecked,
        1,
        [("2025-01-01T00:00:00Z", "2025-01-16T09:00:00Z"), ("2025-01-02T00:00:00Z", "2025-01-18T09:00:00Z")],
    )
    assert holds_of(explain(unchecked))[1][1:] == (
        days(2),
        "Counted from 2025-01-16 10:00 to 2025-01-18 10:00: 2 days. What lies before the protection began does not."
        " Until then earlier holds stop the clock.",
    )


@pytest.mark.parametrize(
    ("as_of", "moved", "explanation", "result"),
    [
        ("2025-02-28T23:59:59Z", NOTHING, "Not counted yet: it is open, and no time of it has passed.", "not on hold"),
        ("2025-03-01T00:00:00Z", NOTHING, "Not counted yet: it is open, and no time of it has passed.", "on hold"),
        (
            "2025-03-04T01:00:00Z",
            days(3, hours=1),
            "Counted from 2025-03-01 01:00 to 2025-03-04 02:00: 3 days 1 h. It is open and goes on.",
            "on hold",
        ),
    ],
)
def test_an_open_hold_counts_until_the_look(unchecked, as_of, moved, explanation, result):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_holds(unchecked, 1, [("2025-03-01T00:00:00Z", None)])
    steps = explain(unchecked, as_of)
    assert holds_of(steps) == [(utc("2025-03-01T00:00:00Z"), moved, explanation)]
    assert steps[-1]["expires_at"] == end_reached(steps) == utc(EXPIRY) + moved
    assert f": PROTECTED, {result}. " in steps[-1]["explanation"]
    if result == "on hold":
        assert "If the hold ended then, protected until" in steps[-1]["explanation"]
        reminder = only(steps, "REMINDER")
        assert reminder["from_at"] is None
        assert reminder["explanation"] == "None falls due while the lead is on hold. Not sent."


def test_a_hold_with_an_end_counts_at_once(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_holds(unchecked, 1, [("2025-03-01T00:00:00Z", "2025-03-02T00:00:00Z")])
    assert holds_of(explain(unchecked, "2025-02-01Z"))[0][1:] == (days(1), "Counted in full: 1 day.")


def test_closing_ends_an_open_hold(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1, closed_at="2025-03-05T00:00:00Z")
    insert_holds(unchecked, 1, [("2025-03-01T00:00:00Z", None)])
    steps = explain(unchecked)
    assert holds_of(steps)[0][1:] == (
        days(4),
        "Counted from 2025-03-01 01:00 to 2025-03-05 01:00: 4 days. The closing of the lead ended it.",
    )
    closed = only(steps, "CLOSED")
    assert closed["from_at"] == utc("2025-03-05T00:00:00Z")
    assert closed["explanation"] == ("Closed at 2025-03-05 01:00: nothing falls due and nothing expires any more.")
    assert only(steps, "REMINDER")["explanation"] == "None falls due: the lead is closed. Not sent."
    assert steps[-1]["expires_at"] == end_reached(steps) == utc(EXPIRY) + days(4)
    assert "CLOSED, not on hold. Without the closing, protected until" in steps[-1]["explanation"]
    # The day before, the closing was to come and the hold went on.
    before = explain(unchecked, "2025-03-04T00:00:00Z")
    assert [step["item"] for step in before if step["item"] == "CLOSED"] == []
    assert holds_of(before)[0][1] == days(3)


def test_an_open_hold_after_the_closing_counts_for_nothing(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1, closed_at="2025-03-05T00:00:00Z")
    insert_holds(unchecked, 1, [("2025-03-05T00:00:00Z", None)])
    assert holds_of(explain(unchecked))[0][1:] == (NOTHING, "Not counted: it begins when the lead is closed already.")


def test_how_the_lead_was_closed_is_told_of_the_present_closing_only(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1, closed_at="2025-06-01T00:00:00Z")
    unchecked.execute("UPDATE lead_protection.leads SET closed_as = 'CONVERTED' WHERE id = 1")
    insert_history(unchecked, 1, [("2025-04-01T00:00:00Z", 7, 1, START, "2025-03-01T00:00:00Z")])
    then, now = (only(explain(unchecked, as_of), "CLOSED") for as_of in ("2025-03-15Z", "2025-07-01Z"))
    assert then["explanation"].startswith("Closed at 2025-03-01 01:00: ")
    assert now["explanation"].startswith("Closed at 2025-06-01 02:00 as CONVERTED: ")


def test_extensions_on_request(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1)
    insert_extensions(
        unchecked,
        1,
        [
            ("2024-06-01T00:00:00Z", 3),
            ("2025-02-01T00:00:00Z", 14),
            ("2025-10-01T00:00:00Z", 30),
            ("2025-10-01T00:00:01Z", 5),
        ],
    )
    insert_extensions(unchecked, 1, [("2025-02-02T00:00:00Z", 9)], user_id=9)
    steps = explain(unchecked, "2025-10-01T00:00:00Z")
    ids = unchecked.execute("SELECT id FROM lead_protection.lead_extensions ORDER BY granted_at LIMIT 4").fetchall()
    granted = [step for step in steps if step["item"] == "GRANTED"]
    assert [(step["fact_id"],) for step in granted] == ids
    assert [(step["from_at"], step["moved_by"], step["expires_at"], step["explanation"]) for step in granted] == [
        (
            utc("2024-06-01T00:00:00Z"),
            NOTHING,
            utc(EXPIRY),
            "Not counted: 3 days on request, granted before this protection began.",
        ),
        (
            utc("2025-02-01T00:00:00Z"),
            days(14),
            utc("2025-10-07T08:00:00Z"),
            "+ 14 days on request, approved by 1.",
        ),
        (
            utc("2025-02-02T00:00:00Z"),
            NOTHING,
            utc("2025-10-07T08:00:00Z"),
            "Not counted: 9 days on request, granted to user 9.",
        ),
        # Summer time ends in between.
        (
            utc("2025-10-01T00:00:00Z"),
            days(30, hours=1),
            utc("2025-11-06T09:00:00Z"),
            "+ 30 days on request, approved by 1.",
        ),
    ]
    assert steps[-1]["expires_at"] == end_reached(steps) == utc("2025-11-06T09:00:00Z")


def test_an_extension_after_the_closing_counts_for_nothing(unchecked):
    insert_lead(unchecked, 1, START, policy_id=1, closed_at="2025-03-01T00:00:00Z")
    insert_extensions(unchecked, 1, [("2025-03-01T00:00:00Z", 1), ("2025-03-02T00:00:00Z", 2)])
    steps = explain(unchecked)
    assert [step["explanation"] for step in steps if step["item"] == "GRANTED"] == [
        "+ 1 day on request, approved by 1.",
        "Not counted: 2 days on request, granted after the lead was closed.",
    ]
    assert steps[-1]["expires_at"] == end_reached(steps)


def test_the_parallel_rule(unchecked):
    policy_id = insert_policy(unchecked, name="agents", rule="parallel")
    insert_lead(unchecked, 1, START, policy_id=policy_id)
    insert_activities(
        unchecked,
        1,
        [
            "2025-01-01T12:00:00Z",
            "2025-02-01T12:00:00Z",
            ("2025-03-01T12:00:00Z", "SAMPLE_FEEDBACK"),
            ("2025-03-02T12:00:00Z", "EMAIL_SENT"),
            "2025-04-01T12:00:00Z",
            "2026-02-01T12:00:00Z",
        ],
    )
    insert_activities(unchecked, 1, ["2025-03-20T12:00:00Z"], user_id=9)
    unchecked.execute(
        "UPDATE lead_protection.lead_activities SET deleted_at = now() WHERE occurred_at = '2025-04-01 12:00Z'"
    )
    insert_extensions(unchecked, 1, [("2025-02-15T00:00:00Z", 7), ("2025-03-10T00:00:00Z", 5)])
    insert_extensions(unchecked, 1, [("2025-03-10T00:00:00Z", 4)], user_id=9)
    insert_holds(
        unchecked,
        1,
        [
            ("2025-02-10T00:00:00Z", "2025-02-12T00:00:00Z"),
            ("2025-02-27T12:00:00Z", "2025-03-04T12:00:00Z"),
            ("2025-05-19T10:00:00Z", "2025-05-20T12:00:00Z"),
        ],
    )
    insert_holds(unchecked, 1, [("2025-03-10T00:00:00Z", "2025-03-12T00:00:00Z")], user_id=9)
    steps = explain(unchecked)
    assert ends_of_steps(steps, "base") == [
        ("BASE", days(180, hours=23), utc("2025-07-15T08:00:00Z")),
        ("GRANTED", days(7), utc("2025-07-22T08:00:00Z")),
        ("GRANTED", days(5), utc("2025-07-27T08:00:00Z")),
        ("GRANTED", NOTHING, utc("2025-07-27T08:00:00Z")),
        ("HOLD", days(2), utc("2025-07-29T08:00:00Z")),
        ("HOLD", days(5), utc("2025-08-03T08:00:00Z")),
        ("HOLD", NOTHING, utc("2025-08-03T08:00:00Z")),
        ("HOLD", days(1, hours=2), utc("2025-08-04T10:00:00Z")),
    ]
    assert ends_of_steps(steps, "idle") == [
        ("ACTIVITY", None, None),
        ("EXTENSION", days(60, hours=-1), utc("2025-04-30T11:00:00Z")),
        ("GRACE", days(10), utc("2025-05-10T11:00:00Z")),
        ("GRANTED", NOTHING, utc("2025-05-10T11:00:00Z")),
        ("GRANTED", days(5), utc("2025-05-15T11:00:00Z")),
        ("HOLD", NOTHING, utc("2025-05-15T11:00:00Z")),
        ("HOLD", days(3), utc("2025-05-18T11:00:00Z")),
        ("HOLD", NOTHING, utc("2025-05-18T11:00:00Z")),
    ]
    activity = only(steps, "ACTIVITY", "idle")
    last = unchecked.execute("SELECT id FROM lead_protection.lead_activities WHERE kind = 'SAMPLE_FEEDBACK'")
    assert (activity["fact_id"],) == last.fetchone()
    assert activity["from_at"] == utc("2025-03-01T12:00:00Z")
    assert activity["explanation"] == (
        "Activities of user 7 from the start on: 3, of which 2 qualified."
        " The idle clock starts with the last of them, SAMPLE_FEEDBACK."
    )
    texts = [step["explanation"] for step in steps if step["clock"] == "idle"][1:]
    assert texts == [
        "+ 60 days without a qualified activity.",
        "+ 10 days.",
        "Not counted: 7 days on request, granted before the last qualified activity.",
        "+ 5 days on request, approved by 1.",
        "Not counted: it ended before the last qualified activity.",
        "Counted from 2025-03-01 13:00 to 2025-03-04 13:00: 3 days."
        " What lies before the last qualified activity does not.",
        "Not counted: it begins when the expiry reached so far has passed.",
    ]
    rule = only(steps, "RULE")
    assert rule["expires_at"] == steps[-1]["expires_at"] == end_reached(steps) == utc("2025-05-18T11:00:00Z")
    assert rule["explanation"] == "The earlier of the two clocks: the idle clock."


def test_without_an_activity_the_idle_clock_starts_with_the_protection(unchecked):
    insert_lead(unchecked, 1, START, policy_id=insert_policy(unchecked, rule="parallel", base_months=2))
    insert_activities(unchecked, 1, [("2025-02-01T12:00:00Z", "EMAIL_SENT")])
    insert_holds(unchecked, 1, [("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z")])
    steps = explain(unchecked)
    activity = only(steps, "ACTIVITY", "idle")
    assert (activity["fact_id"], activity["from_at"]) == (None, utc(START))
    assert activity["explanation"] == (
        "Activities of user 7 from the start on: 1, of which 0 qualified. The idle clock starts with the protection."
    )
    assert holds_of(steps, "idle")[0][2] == "Not counted: it ended before the protection began."
    assert only(steps, "RULE")["explanation"] == "The earlier of the two clocks: the base clock."
    assert steps[-1]["expires_at"] == end_reached(steps) == utc("2025-03-15T09:00:00Z")
