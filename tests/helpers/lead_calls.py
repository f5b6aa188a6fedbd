"""Changes of a lead: the policy with worked dates, and proofs of what a call changed or left alone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from helpers.calls import call_row, refused, row
from helpers.facts import events
from helpers.jobs import run_pipeline
from helpers.rows import written

BERLIN = ZoneInfo("Europe/Berlin")

# Worked by hand, with the policy `long` (600 months, 60 days, 10 days, Europe/Berlin): the day 600 months later, and 70
# days more; reminders at 08:00 ten days before.
START = datetime(2024, 1, 31, 10, 0, tzinfo=BERLIN)

EXPIRY = datetime(2074, 4, 11, 10, 0, tzinfo=BERLIN)  # 31 January 2074 is followed by 28, 31 and 11 days

DUE = datetime(2074, 4, 1, 8, 0, tzinfo=BERLIN)


def shown(db, lead_id=1) -> dict:
    """The lead in the view."""
    return row(db, "SELECT * FROM lead_protection.v_user_lead_protection WHERE lead_id = %s", lead_id)


def as_of(db, instant, lead_id=1) -> tuple:
    """User, state and expiry of the lead at an instant, by the rule."""
    return db.execute(
        "SELECT user_id, state, protection_expires_at FROM lead_protection.protection_as_of(%s) WHERE lead_id = %s",
        (instant, lead_id),
    ).fetchone()


def logged(db, event_type, lead_id=1) -> dict:
    """The one log row of that type."""
    query = "SELECT * FROM lead_protection.protection_log WHERE event_type = %s AND lead_id = %s"
    return row(db, query, event_type, lead_id)


def payload(db, event_type, lead_id=1) -> dict:
    """What the one event of that type says."""
    query = "SELECT payload FROM lead_protection.outbox_events WHERE type = %s AND aggregateid = %s"
    return row(db, query, event_type, str(lead_id))["payload"]


def did(db, as_of=None) -> dict:
    """Run the pipeline and return what it did, without zeros."""
    return {step: number for step, number in run_pipeline(db, as_of).items() if number}


def refused_unchanged(db, sqlstate, invocation, *arguments) -> psycopg.Error:
    """The call is refused with DETAIL and HINT, and changes nothing."""
    before = written(db)
    error = refused(sqlstate, call_row, db, invocation, *arguments)
    assert written(db) == before
    return error


def fifty_years_after(instant: datetime) -> datetime:
    """600 months later in UTC."""
    day = 28 if (instant.month, instant.day) == (2, 29) else instant.day
    return instant.astimezone(UTC).replace(year=instant.astimezone(UTC).year + 50, day=day)


def check(db, answer, event_type, *, actor_id=5, reason="because", details=None):
    """The answer is what is seen, and the one log row and event of the call say the same."""
    now = shown(db, answer["lead_id"])
    assert answer["changed"] and answer["user_id"] == now["user_id"]
    assert (answer["state_after"], answer["on_hold_after"]) == (now["state"], now["on_hold"])
    assert answer["reminder_due_after"] == now["reminder_due_at"]
    if not now["on_hold"]:
        assert answer["expires_after"] == now["protection_expires_at"]
    log = logged(db, event_type, answer["lead_id"])
    assert (log["user_id"], log["actor_id"], log["reason"]) == (now["user_id"], actor_id, reason)
    assert (log["occurred_at"], log["state_after"]) == (answer["decided_at"], answer["state_after"])
    assert (log["expires_before"], log["expires_after"]) == (answer["expires_before"], answer["expires_after"])
    assert log["state_before"] == answer["state_before"]
    assert log["details"] == (details or {})
    event = payload(db, event_type, answer["lead_id"])
    assert event["state"] == answer["state_after"] and event["actor_id"] == actor_id
    assert datetime.fromisoformat(event["protection_expires_at"]) == answer["expires_after"]
    assert datetime.fromisoformat(event["occurred_at"]) == answer["decided_at"]
    told = {"lead_id", "user_id", "actor_id", "occurred_at", "state", "protection_expires_at"}
    assert {name: value for name, value in event.items() if name not in told} == {
        name: value for name, value in (details or {}).items() if name != "evidence"
    }
    assert "reason" not in event and "evidence" not in event
    proved(db)


def unchanged(db, function, *arguments) -> dict:
    """The call answers that it changed nothing, and did not."""
    before = written(db)
    answer = call_row(db, function, *arguments)
    assert answer["changed"] is False
    for what in ("state", "on_hold", "expires", "reminder_due"):
        assert answer[f"{what}_before"] == answer[f"{what}_after"]
    assert written(db) == before
    return answer


def proved(db) -> None:
    """The cache is the rule, and the outbox the log."""
    assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
    events(db)


EARLIER = datetime(2023, 12, 15, 9, 30, tzinfo=BERLIN)

EARLIER_EXPIRY = datetime(2074, 2, 23, 9, 30, tzinfo=BERLIN)  # 15 December 2073, and 16, 31 and 23 days


def moved(db, lead_ids, policy_id) -> dict:
    """The answers of a move, by lead."""
    answers = db.cursor(row_factory=dict_row).execute(
        "SELECT * FROM lead_protection.move_leads_to_policy(%s, %s, 'because', 5)", (lead_ids, policy_id)
    )
    return {answer["lead_id"]: answer for answer in answers}
