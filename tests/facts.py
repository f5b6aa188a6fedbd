"""Writing facts as they are, past the checks of the API: for cases that lie in the past or the future."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import psycopg


def insert_policy(db: psycopg.Connection, name: str = "test", **terms) -> int:
    """Insert a policy and return its id."""
    columns = {
        "rule": "sequential",
        "base_months": 6,
        "extension_days": 60,
        "grace_days": 10,
        "time_zone": "Europe/Berlin",
        "reminder_time": "08:00",
    } | terms
    return db.execute(
        "INSERT INTO lead_protection.protection_policies (name, rule, base_months, extension_days, grace_days,"
        " time_zone, reminder_time) VALUES (%(name)s, %(rule)s, %(base_months)s, %(extension_days)s,"
        " %(grace_days)s, %(time_zone)s, %(reminder_time)s) RETURNING id",
        columns | {"name": name},
    ).fetchone()[0]


def insert_lead(
    db: psycopg.Connection,
    lead_id: int,
    created_at: datetime | str,
    user_id: int = 7,
    policy_id: int | None = None,
    closed_at: datetime | None = None,
) -> None:
    """Insert a lead."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, policy_id, closed_at) VALUES (%s, %s, %s, %s, %s)",
        (lead_id, user_id, created_at, policy_id, closed_at),
    )


def insert_holds(db: psycopg.Connection, lead_id: int, holds: Iterable[tuple], user_id: int = 7) -> None:
    """Insert holds as (start, end or None); those with an end count as released, so that equal ones may stand."""
    for start_at, end_at in holds:
        db.execute(
            "INSERT INTO lead_protection.lead_holds"
            " (lead_id, user_id, reason, start_at, end_at, created_by, released_by)"
            " VALUES (%s, %s, 'test', %s, %s, 1, CASE WHEN %s::timestamptz IS NOT NULL THEN 1 END)",
            (lead_id, user_id, start_at, end_at, end_at),
        )


def insert_reminders(db: psycopg.Connection, lead_id: int, sent_at: Iterable, user_id: int = 7) -> None:
    """Insert reminders by the instant at which they were sent; their windows are made up and apart."""
    for number, sent in enumerate(sent_at):
        db.execute(
            "INSERT INTO lead_protection.lead_reminders"
            " (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)"
            " VALUES (%s, %s, %s, %s::timestamptz + INTERVAL '1 day', %s, %s)",
            (lead_id, user_id, date(1999, 1, 1) + timedelta(days=number), sent, sent, sent),
        )


SHOWN = "protection_expires_at, state, on_hold, reminder_due_at"


def in_utc(row: tuple) -> tuple:
    """The row with its instants in UTC: a local time that occurs twice equals nothing in Python."""
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)


# Ages of a lead in days that put it in a state today: the standard protection lasts 251 to 254 days.
PROTECTED, REMINDER_DUE, EXPIRED = 100, 249, 300


def insert_lead_of_age(db: psycopg.Connection, lead_id: int, days: int, user_id: int = 7) -> None:
    """Insert a lead that was brought in so many days ago."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at) VALUES (%s, %s, now() - %s * INTERVAL '1 day')",
        (lead_id, user_id, days),
    )


def events(db: psycopg.Connection, lead_id: int | None = None) -> list[str]:
    """The types of the events in the outbox, of one lead or all, sorted; the log must tell the same."""
    published = db.execute(
        "SELECT id, type, aggregateid FROM lead_protection.outbox_events"
        " WHERE %(id)s::text IS NULL OR aggregateid = %(id)s ORDER BY type, id",
        {"id": lead_id and str(lead_id)},
    ).fetchall()
    logged = db.execute(
        "SELECT event_id, event_type, lead_id::text FROM lead_protection.protection_log"
        " WHERE %(id)s::bigint IS NULL OR lead_id = %(id)s ORDER BY event_type, event_id",
        {"id": lead_id},
    ).fetchall()
    assert published == logged
    return [row[1] for row in published]
