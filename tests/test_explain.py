"""The explanation: steps worked by hand, and steps that lead from the start to the date that is shown."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from facts import (
    SHOWN,
    in_utc,
    insert_activities,
    insert_extensions,
    insert_history,
    insert_holds,
    insert_lead,
    insert_policy,
    insert_reminders,
)

CASES = json.loads((Path(__file__).parent / "clock_cases.json").read_text())
START = "2025-01-15T09:00:00Z"
# Six months, 60 and 10 days after it, by the calendar of Berlin.
EXPIRY = "2025-09-23T08:00:00Z"
LATER = "2025-12-31T00:00:00Z"
NOTHING = timedelta(0)


@pytest.fixture
def unchecked(db):
    """A connection in a transaction that is rolled back, where leads and activities may lie in the future."""
    with db.transaction(force_rollback=True):
        db.execute("ALTER TABLE lead_protection.leads DISABLE TRIGGER check_lead")
        db.execute("ALTER TABLE lead_protection.lead_activities DISABLE TRIGGER check_activity")
        yield db


def explain(db, as_of=LATER, lead_id: int = 1) -> list[dict]:
    """The steps, their instants in UTC."""
    query = "SELECT * FROM lead_protection.explain_protection(%s, %s)"
    rows = db.cursor(row_factory=dict_row).execute(query, (lead_id, as_of)).fetchall()
    return [dict(zip(row, in_utc(tuple(row.values())), strict=True)) for row in rows]


def utc(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text).astimezone(UTC)


def days(number: float, **more) -> timedelta:
    return timedelta(days=number, **more)


def ends_of_steps(steps: list[dict], clock: str) -> list[tuple]:
    """Of one clock: item, how far moved, the expiry reached."""
    return [(step["item"], step["moved_by"], step["expires_at"]) for step in steps if step["clock"] == clock]


def holds_of(steps: list[dict], clock: str = "base") -> list[tuple]:
    """The holds on one clock: start, how far moved, why."""
    return [
        (step["from_at"], step["moved_by"], step["explanation"])
        for step in steps
        if step["clock"] == clock and step["item"] == "HOLD"
    ]


def only(steps: list[dict], item: str, clock: str | None = None) -> dict:
    """The one step of that item."""
    (step,) = (step for step in steps if (step["item"], step["clock"]) == (item, clock))
    return step


def end_reached(steps: list[dict]) -> datetime:
    """What the steps lead to, added up here: clock by clock from its beginning, then joined."""
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    assert steps[0]["item"] == "START"
    reached = {"base": steps[0]["from_at"]}
    joined = None
    for step in steps[1:-1]:
        clock, item, expires_at = step["clock"], step["item"], step["expires_at"]
        if clock:
            if item == "ACTIVITY":
                reached["idle"] = step["from_at"]
                assert expires_at is None
                continue
            if item == "NOTICE":
                reached["notice"] = step["from_at"]
            if item == "HOLD":
                assert (step["moved_by"] == NOTHING) == step["explanation"].startswith("Not counted"), step
            reached[clock] += step["moved_by"]
            assert expires_at == reached[clock], step
        elif item == "RULE":
            joined = min(reached["base"], reached["idle"])
            assert expires_at == joined
        elif item == "NOTICE":
            joined = joined or reached["base"]
            if "notice" in reached:
                joined = max(joined, reached["notice"])
                assert expires_at == joined
            else:
                assert expires_at >= joined
                joined = expires_at
        else:
            assert expires_at is None
    assert steps[-1]["item"] == "RESULT"
    return joined or reached["base"]


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


def notice_lead(db, **terms) -> None:
    """Lead 1, under a policy that requires a notice. Its reminder falls due on 2025-09-13 at 06:00 UTC."""
    insert_lead(db, 1, START, policy_id=insert_policy(db, notice_required=True, **terms))


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
    }
    answer = explain_json(unchecked, "2025-01-15T08:59:59.999999Z")
    assert (answer["user_id"], answer["policy"], answer["result"]) == (None, None, None)
    assert [step["item"] for step in answer["steps"]] == ["NOT_PROTECTED"]
    assert explain(unchecked, START)[0]["item"] == "START"


def explain_json(db, as_of, lead_id: int = 1) -> dict:
    return db.execute("SELECT lead_protection.explain_protection_json(%s, %s)", (lead_id, as_of)).fetchone()[0]


def iso(instant: datetime | None) -> str | None:
    return instant and instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_json(step: dict) -> dict:
    """A row as the JSON must have it."""
    return {
        "step": step["step"],
        "clock": step["clock"],
        "item": step["item"],
        "fact_id": step["fact_id"],
        "from": iso(step["from_at"]),
        "until": iso(step["until_at"]),
        "moved_by_seconds": None if step["moved_by"] is None else step["moved_by"] / timedelta(seconds=1),
        "expires_at": iso(step["expires_at"]),
        "explanation": step["explanation"],
    }


def test_json_names_the_policy_and_all_its_terms(unchecked):
    notice_lead(unchecked, name="agents", rule="parallel", extension_limit_days=7, reminder_time="08:30")
    insert_holds(unchecked, 1, [("2025-02-01T00:00:00Z", "2025-02-01T00:00:00.000001Z")])
    answer = explain_json(unchecked, "2025-02-03T00:00:00+02:00")
    (policy_id,) = unchecked.execute(
        "SELECT id FROM lead_protection.protection_policies WHERE name = 'agents'"
    ).fetchone()
    assert {name: value for name, value in answer.items() if name != "steps"} == {
        "lead_id": 1,
        "as_of": "2025-02-02T22:00:00.000000Z",
        "user_id": 7,
        "policy": {
            "id": policy_id,
            "name": "agents",
            "version": 1,
            "rule": "parallel",
            "base_months": 6,
            "extension_days": 60,
            "grace_days": 10,
            "time_zone": "Europe/Berlin",
            "reminder_time": "08:30:00",
            "notice_required": True,
            "extension_limit_days": 7,
        },
        "result": {
            "protection_expires_at": "2025-03-26T09:00:00.000001Z",
            "state": "PROTECTED",
            "on_hold": False,
            "reminder_due_at": "2025-03-16T07:30:00.000000Z",
        },
    }
    assert answer["steps"] == [as_json(step) for step in explain(unchecked, "2025-02-03T00:00:00+02:00")]
    assert [step["moved_by_seconds"] for step in answer["steps"] if step["item"] == "HOLD"] == [0.000001] * 2


def test_the_worked_cases(unchecked):
    assert len(CASES) == 50
    for number, case in enumerate(CASES, start=1):
        policy_id = insert_policy(unchecked, name=case["name"], **case["policy"])
        insert_lead(unchecked, number, case["created_at"], policy_id=policy_id)
        insert_holds(unchecked, number, [(hold["start_at"], hold["end_at"]) for hold in case["holds"]])
        insert_activities(unchecked, number, case["qualified_activities"])
        insert_reminders(unchecked, number, case["reminders_sent_at"])
        steps = explain(unchecked, case["as_of"], number)
        expect = case["expect"]
        assert steps[-1]["expires_at"] == end_reached(steps) == utc(expect["protection_expires_at"]), case["why"]
        assert only(steps, "REMINDER")["from_at"] == utc(expect["reminder_due_at"]), case["why"]
        on_hold = "on hold" if expect["on_hold"] else "not on hold"
        assert f": {expect['state']}, {on_hold}. " in steps[-1]["explanation"], case["why"]
        answer = explain_json(unchecked, case["as_of"], number)
        assert answer["steps"] == [as_json(step) for step in steps]
        assert answer["result"] == {
            "protection_expires_at": iso(utc(expect["protection_expires_at"])),
            "state": expect["state"],
            "on_hold": expect["on_hold"],
            "reminder_due_at": iso(utc(expect["reminder_due_at"])),
        }


def test_whatever_the_facts_the_steps_lead_to_what_is_shown(unchecked):
    """Random facts under every kind of policy, close together: the steps add up, and the last is the answer."""
    choose = random.Random(3)
    begin = utc(START)
    policies = [
        insert_policy(
            unchecked, name=f"{rule} {notice} {zone}", rule=rule, notice_required=notice, time_zone=zone,
            base_months=2, extension_days=20, grace_days=8,
        )
        for rule in ("sequential", "parallel")
        for notice in (False, True)
        for zone in ("Europe/Berlin", "Australia/Lord_Howe")
    ]  # fmt: skip

    def moment(first: int = -10, last: int = 130) -> datetime:
        """Whole days meet, others do not."""
        return begin + choose.choice([days(choose.randint(first, last)), days(choose.uniform(first, last))])

    seen = set()
    for lead_id in range(1, 151):
        changed_at = moment(5, 60)
        has_past = choose.random() < 0.3
        closed_at = moment(60) if choose.random() < 0.1 else None
        insert_lead(
            unchecked,
            lead_id,
            changed_at if has_past else begin,
            policy_id=choose.choice(policies),
            closed_at=closed_at,
        )
        if has_past:
            insert_history(unchecked, lead_id, [(changed_at, choose.choice((7, 9)), policies[0], begin, None)])
        for user_id in (7, 9) if has_past else (7,):
            holds = []
            for _ in range(choose.randint(0, 4)):
                start_at = moment()
                holds.append(
                    (start_at, max(start_at, choose.choice([moment(), start_at + days(choose.uniform(0, 9))])))
                )
            if choose.random() < 0.3:
                holds.append((moment(), None))
            insert_holds(unchecked, lead_id, holds, user_id)
            insert_extensions(unchecked, lead_id, [(moment(), 3) for _ in range(choose.randint(0, 2))], user_id)
            kinds = ("QUALIFIED_CALL", "EMAIL_SENT")
            insert_activities(
                unchecked, lead_id, [(moment(), choose.choice(kinds)) for _ in range(choose.randint(0, 3))], user_id
            )
            insert_reminders(unchecked, lead_id, [moment(50) for _ in range(choose.randint(0, 2))], user_id)
        for as_of in [moment(0, 160) for _ in range(3)]:
            steps = explain(unchecked, as_of, lead_id)
            shown = unchecked.execute(
                f"SELECT {SHOWN} FROM lead_protection.protection_as_of(%s) WHERE lead_id = %s", (as_of, lead_id)
            ).fetchone()
            if shown is None:
                assert [step["item"] for step in steps] == ["NOT_PROTECTED"]
                continue
            assert (steps[-1]["expires_at"], only(steps, "REMINDER")["from_at"]) == in_utc((shown[0], shown[3]))
            assert end_reached(steps) == steps[-1]["expires_at"], (lead_id, as_of)
            assert f": {shown[1]}, {'' if shown[2] else 'not '}on hold. " in steps[-1]["explanation"]
            seen.add(shown[1:3])
    states = ("PROTECTED", "REMINDER_DUE", "GRACE")
    assert seen == {(state, on_hold) for state in states for on_hold in (False, True)} | {
        ("EXPIRED", False),
        ("CLOSED", False),
    }


@pytest.mark.parametrize(
    "setting",
    [
        "TimeZone = 'Australia/Lord_Howe'",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'sql_standard'",
        "search_path = pg_temp, public",
        "extra_float_digits = 0",
    ],
)
def test_no_setting_of_the_session_changes_the_explanation(unchecked, setting):
    notice_lead(unchecked, rule="parallel")
    insert_holds(unchecked, 1, [("2025-03-20T00:00:00Z", "2025-04-20T00:00:00.5Z"), ("2025-04-01Z", "2025-04-30Z")])
    insert_reminders(unchecked, 1, ["2025-06-20T12:00:00Z"])
    query = "SELECT lead_protection.explain_protection_json(1, '2025-06-21T00:00:00Z')::text"
    before = unchecked.execute(query).fetchone()
    unchecked.execute(f"SET LOCAL {setting}")
    assert unchecked.execute(query).fetchone() == before


def test_now_is_the_default(db):
    insert_lead(db, 1, datetime.now(UTC) - days(30))
    with db.transaction():
        view = db.execute("SELECT protection_expires_at FROM lead_protection.v_user_lead_protection").fetchone()
        steps = db.execute("SELECT expires_at FROM lead_protection.explain_protection(1)").fetchall()
        answer = db.execute(
            "SELECT lead_protection.explain_protection_json(1) = lead_protection.explain_protection_json(1, now())"
        )
        assert steps[-1] == view
        assert answer.fetchone() == (True,)


@pytest.mark.parametrize("function", ["explain_protection", "explain_protection_json"])
@pytest.mark.parametrize(
    ("lead_id", "as_of", "sqlstate"),
    [
        (None, "2025-06-01Z", "LP001"),
        (1, None, "LP001"),
        (2, "2025-06-01Z", "LP002"),
        (1, "infinity", "LP005"),
        (1, "-infinity", "LP005"),
        (1, "1899-12-31 23:59:59Z", "LP005"),
        (1, "3000-01-01 00:00Z", "LP005"),
    ],
)
def test_bad_input_is_refused(db, function, lead_id, as_of, sqlstate):
    insert_lead(db, 1, START)
    with pytest.raises(psycopg.Error) as caught:
        db.execute(f"SELECT * FROM lead_protection.{function}(%s, %s)", (lead_id, as_of))
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint


@pytest.mark.parametrize("role", ["app", "operator", "monitor"])
def test_who_may_ask(db, role):
    insert_lead(db, 1, START)
    db.execute(f"SET ROLE lead_protection_{role}")
    assert db.execute("SELECT count(*) FROM lead_protection.explain_protection(1)").fetchone()[0] > 3
    assert db.execute("SELECT lead_protection.explain_protection_json(1) ->> 'lead_id'").fetchone() == ("1",)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("SELECT * FROM lead_protection.explain_steps(1, now())")
