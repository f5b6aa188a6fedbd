"""Calling the functions for activities, and the clocks that they move, worked by hand."""

from datetime import datetime

from helpers.calls import call
from helpers.facts import (
    drift,
    in_utc,
)

# 2025-01-15 10:00 in Berlin. Base: + 6 months = 2025-07-15 10:00 summer time. Idle: + 70 days = 2025-03-26 10:00.
START = "2025-01-15 09:00Z"

IDLE = "2025-03-26 09:00Z", "2025-03-16 07:00Z"

# 2025-03-01 13:00 in Berlin; + 70 days = 2025-05-10 13:00, now summer time.
CALL = "2025-03-01 12:00Z"

AFTER_CALL = "2025-05-10 11:00Z", "2025-04-30 06:00Z"

RECORDED, CORRECTED, DELETED, EXPIRY, REMINDER, REACTIVATION, TRANSFER = (
    "lead.activity.recorded",
    "lead.activity.corrected",
    "lead.activity.deleted",
    "lead.protection.expired",
    "lead.protection.reminder",
    "lead.protection.reactivated",
    "lead.protection.transferred",
)


def instant(text):
    """The instant of a text as above."""
    return datetime.fromisoformat(text)


def record(db, occurred_at=CALL, key="k", kind="QUALIFIED_CALL", user_id=7, lead_id=1, actor_id=5):
    """Call record_lead_activity() and return the answer's columns by name."""
    return call(db, "record_lead_activity", lead_id, user_id, kind, occurred_at, key, actor_id)[0]


def correct(db, occurred_at=CALL, key="k", kind="QUALIFIED_CALL", reason="wrong day", lead_id=1, actor_id=6):
    """Call correct_lead_activity() and return the answer's columns by name."""
    return call(db, "correct_lead_activity", lead_id, key, kind, occurred_at, reason, actor_id)[0]


def delete(db, key="k", reason="never was", lead_id=1, actor_id=6):
    """Call delete_lead_activity() and return the answer's columns by name."""
    return call(db, "delete_lead_activity", lead_id, key, reason, actor_id)[0]


def clock(db, as_of="2025-12-31Z"):
    """Expiry and reminder of lead 1 by the rule at as_of, as texts; at the end the cache must say the same."""
    query = "SELECT protection_expires_at, reminder_due_at FROM lead_protection.{} WHERE lead_id = 1"
    derived = in_utc(db.execute(query.format("protection_as_of(%s)"), (as_of,)).fetchone())
    if as_of == "2025-12-31Z":
        assert in_utc(db.execute(query.format("lead_clocks")).fetchone()) == derived
        assert drift(db) == []
    return tuple(f"{value:%Y-%m-%d %H:%MZ}" for value in derived)


def activities(db):
    """All activities, as rows."""
    return db.execute("SELECT * FROM lead_protection.lead_activities ORDER BY id").fetchall()
