"""The worked cases of the design, by the derivation, by the cached view's function and by the explanation."""

from datetime import datetime

import pytest

from helpers.clock_cases import CASES
from helpers.facts import SHOWN, in_utc, insert_activities, insert_holds, insert_lead, insert_policy, insert_reminders


def test_all_cases_are_here():
    assert len({case["name"] for case in CASES}) == 50
    assert sum(case["policy"]["rule"] == "parallel" for case in CASES) == 10


def expected(case: dict) -> tuple:
    """What the case shows."""
    expect = case["expect"]
    due = expect["reminder_due_at"]
    return (
        datetime.fromisoformat(expect["protection_expires_at"]),
        expect["state"],
        expect["on_hold"],
        due and datetime.fromisoformat(due),
    )


@pytest.mark.parametrize("session_zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Chatham"])
@pytest.mark.parametrize("function", ["protection_as_of", "user_lead_protection", "explain_protection_json"])
def test_worked_cases(unchecked, function, session_zone):
    """The session's time zone must not matter: a day of elapsed time is 24 hours where the session's has 23."""
    unchecked.execute("SELECT set_config('TimeZone', %s, true)", (session_zone,))
    wrong = []
    for number, case in enumerate(CASES, start=1):
        policy_id = insert_policy(unchecked, name=case["name"], **case["policy"])
        insert_lead(unchecked, number, case["created_at"], policy_id=policy_id)
        insert_holds(unchecked, number, [(hold["start_at"], hold["end_at"]) for hold in case["holds"]])
        activities = [datetime.fromisoformat(activity) for activity in case["qualified_activities"]]
        if function == "user_lead_protection":
            # The cache answers for now and later, and takes no activity in the future: it would count it at once.
            activities = [a for a in activities if a <= datetime.fromisoformat(case["as_of"])]
        insert_activities(unchecked, number, activities)
        insert_reminders(unchecked, number, case["reminders_sent_at"])
        if function == "explain_protection_json":
            query = (
                "SELECT r.* FROM jsonb_to_record(lead_protection.explain_protection_json(%s, %s) -> 'result') AS r"
                " (protection_expires_at timestamptz, state text, on_hold boolean, reminder_due_at timestamptz)"
            )
            shown = unchecked.execute(query, (number, case["as_of"])).fetchone()
        else:
            query = f"SELECT {SHOWN} FROM lead_protection.{function}(%s) WHERE lead_id = %s"
            shown = unchecked.execute(query, (case["as_of"], number)).fetchone()
        if in_utc(shown) != expected(case):
            wrong.append((case["name"], case["why"], shown, expected(case)))
    assert not wrong


HELD = [c for c in CASES if c["policy"]["rule"] == "sequential" and c["expect"]["on_hold"]]


@pytest.mark.parametrize("case", HELD, ids=lambda case: case["name"])
def test_view_shows_now(db, case):
    """The view is its function at now(): a case with an open hold shows in the view what it shows at as_of = now()."""
    insert_lead(db, 1, case["created_at"])
    insert_holds(db, 1, [(hold["start_at"], None) for hold in case["holds"][:1]])
    with db.transaction():
        view = db.execute(f"SELECT {SHOWN} FROM lead_protection.v_user_lead_protection").fetchone()
        derived = db.execute(f"SELECT {SHOWN} FROM lead_protection.protection_as_of(now())").fetchone()
        assert view == derived
        assert view[1:3] in (("PROTECTED", True), ("REMINDER_DUE", True))


@pytest.mark.parametrize("function", ["protection_as_of", "user_lead_protection"])
def test_adjoining_holds_freeze_the_state_where_the_first_began(unchecked, function):
    """The planned hold moves the reminder's due instant into itself; the open one takes over before the clock runs."""
    insert_lead(unchecked, 1, "2025-01-15T09:00:00Z", policy_id=1)
    insert_holds(unchecked, 1, [("2025-09-18T08:00:00Z", "2025-10-03T08:00:00Z"), ("2025-10-03T08:00:00Z", None)])
    shown = unchecked.execute(f"SELECT state, on_hold FROM lead_protection.{function}('2025-10-20Z')").fetchone()
    assert shown == ("PROTECTED", True)


def test_a_reminder_does_not_count_before_it_was_sent(unchecked):
    insert_lead(unchecked, 1, "2025-01-15T09:00:00Z", policy_id=1)
    insert_reminders(unchecked, 1, ["2025-09-15T06:00:00Z"])
    derive = "SELECT state FROM lead_protection.protection_as_of(%s)"
    states = [unchecked.execute(derive, (as_of,)).fetchone()[0] for as_of in ("2025-09-14Z", "2025-09-16Z")]
    assert states == ["REMINDER_DUE", "GRACE"]
