"""Asking for explanations, and reading their steps."""

from datetime import UTC, datetime, timedelta

from psycopg.rows import dict_row

from helpers.facts import (
    in_utc,
    insert_lead,
    insert_policy,
)

START = "2025-01-15T09:00:00Z"

# Six months, 60 and 10 days after it, by the calendar of Berlin.
EXPIRY = "2025-09-23T08:00:00Z"

LATER = "2025-12-31T00:00:00Z"

NOTHING = timedelta(0)


def explain(db, as_of=LATER, lead_id: int = 1) -> list[dict]:
    """The steps, their instants in UTC."""
    query = "SELECT * FROM lead_protection.explain_protection(%s, %s)"
    rows = db.cursor(row_factory=dict_row).execute(query, (lead_id, as_of)).fetchall()
    return [dict(zip(row, in_utc(tuple(row.values())), strict=True)) for row in rows]


def utc(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


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


def notice_lead(db, **terms) -> None:
    """Lead 1, under a policy that requires a notice. Its reminder falls due on 2025-09-13 at 06:00 UTC."""
    insert_lead(db, 1, START, policy_id=insert_policy(db, notice_required=True, **terms))


def explain_json(db, as_of, lead_id: int = 1) -> dict:
    return db.execute("SELECT lead_protection.explain_protection_json(%s, %s)", (lead_id, as_of)).fetchone()[0]
