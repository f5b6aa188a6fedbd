"""Writing facts as they are, past the checks of the API: for cases that lie in the past or the future."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql


def insert_policy(db: psycopg.Connection, name: str = "test", **terms) -> int:
    """Insert a policy, version 1, and return its id."""
    columns = {
        "name": name,
        "rule": "sequential",
        "base_months": 6,
        "extension_days": 60,
        "grace_days": 10,
        "time_zone": "Europe/Berlin",
        "reminder_time": "08:00",
        "notice_required": False,
        "extension_limit_days": 60,
    } | terms
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ").join(map(sql.Placeholder, columns))
    insert = sql.SQL("INSERT INTO lead_protection.protection_policies ({}) VALUES ({}) RETURNING id")
    ((policy_id,),) = db.execute(insert.format(names, values), columns)
    return policy_id


def insert_lead(
    db: psycopg.Connection,
    lead_id: int,
    created_at: datetime | str,
    user_id: int | None = 7,
    policy_id: int | None = None,
    closed_at: datetime | str | None = None,
) -> None:
    """Insert a lead as one that was there before: by changed_at it is no news, and neither logged nor published."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at, policy_id, closed_at)"
        " VALUES (%s, %s, %s, now(), %s, %s)",
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


def insert_activities(db: psycopg.Connection, lead_id: int, activities: Iterable, user_id: int = 7) -> None:
    """Insert activities as (instant, kind), or as instants of qualified calls; their keys are made up.

    Those in the future want the trigger check_activity disabled.
    """
    for activity in activities:
        occurred_at, kind = activity if isinstance(activity, tuple) else (activity, "QUALIFIED_CALL")
        db.execute(
            "INSERT INTO lead_protection.lead_activities"
            " (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)"
            " VALUES (%s, %s, %s, %s, gen_random_uuid()::text, 1)",
            (lead_id, user_id, kind, occurred_at),
        )


def insert_extensions(db: psycopg.Connection, lead_id: int, extensions: Iterable[tuple], user_id: int = 7) -> None:
    """Insert extensions on request as (instant of the grant, days); their keys are made up."""
    for granted_at, days in extensions:
        db.execute(
            "INSERT INTO lead_protection.lead_extensions"
            " (lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key)"
            " VALUES (%s, %s, %s, 'test', 1, 1, %s, gen_random_uuid()::text)",
            (lead_id, user_id, days, granted_at),
        )


def insert_history(db: psycopg.Connection, lead_id: int, rows: Iterable[tuple]) -> None:
    """Insert what a lead was before, as (valid until, user, policy, start, closed at or None)."""
    for valid_until, user_id, policy_id, created_at, closed_at in rows:
        db.execute(
            "INSERT INTO lead_protection.lead_history"
            " (lead_id, valid_until, user_id, policy_id, created_at, closed_at) VALUES (%s, %s, %s, %s, %s, %s)",
            (lead_id, valid_until, user_id, policy_id, created_at, closed_at),
        )


# The result of a run of the pipeline that found nothing to do.
PIPELINE_IDLE = {"adopted_rows": 0, "reactivations": 0, "expiries": 0, "reminders": 0, "skipped_locked": 0}

# The result of a nightly run that found nothing to do.
NIGHTLY_IDLE = {
    "adopted_rows": 0,
    "holds_overrun": 0,
    "hold_limits_announced": 0,
    "adopted_rows_queued": 0,
    "clocks_mended": 0,
    "log_rows_chained": 0,
    "texts_erased": 0,
    "log_problems": 0,
    "events_published": 0,
    "events_purged": 0,
    "job_runs_purged": 0,
    "bulk_requests_purged": 0,
    "skipped_locked": 0,
}

SHOWN = "protection_expires_at, state, on_hold, reminder_due_at"


def in_utc(row: tuple) -> tuple:
    """The row with its instants in UTC: a local time that occurs twice equals nothing in Python."""
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)


# Ages of a lead in days that put it in a state today: the standard protection lasts 251 to 254 days.
PROTECTED, REMINDER_DUE, EXPIRED = 100, 249, 300


def insert_lead_of_age(db: psycopg.Connection, lead_id: int, days: int, user_id: int = 7) -> None:
    """Insert a lead that was brought in so many days ago, as `insert_lead` does."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " VALUES (%s, %s, now() - %s * INTERVAL '1 day', now())",
        (lead_id, user_id, days),
    )


def insert_leads_of_age(db: psycopg.Connection, *days: int) -> None:
    """Insert leads 1, 2, … of user 7 that were brought in so many days ago."""
    for lead_id, age in enumerate(days, start=1):
        insert_lead_of_age(db, lead_id, age)


def ago(days: float) -> datetime:
    """The instant so many days of 24 hours ago."""
    return datetime.now(UTC) - timedelta(days=days)


def states(db: psycopg.Connection) -> dict[int, str]:
    """The state of each lead, in the order of their ids."""
    shown = "SELECT lead_id, state FROM lead_protection.v_user_lead_protection ORDER BY lead_id"
    return dict(db.execute(shown).fetchall())


def drift(db: psycopg.Connection) -> list[tuple]:
    """Leads whose cache differs from the rule."""
    return db.execute("SELECT lead_id FROM lead_protection.find_clock_drift()").fetchall()


def events(db: psycopg.Connection, lead_id: int | None = None) -> list[str]:
    """The types of the events in the outbox, of one lead or all, sorted; the log must tell the same."""
    published = db.execute(
        "SELECT id, type, aggregateid FROM lead_protection.outbox_events"
        " WHERE aggregatetype = 'lead' AND (%(id)s::text IS NULL OR aggregateid = %(id)s) ORDER BY type, id",
        {"id": lead_id and str(lead_id)},
    ).fetchall()
    logged = db.execute(
        "SELECT event_id, event_type, lead_id::text FROM lead_protection.protection_log"
        " WHERE %(id)s::bigint IS NULL OR lead_id = %(id)s ORDER BY event_type, event_id",
        {"id": lead_id},
    ).fetchall()
    assert published == logged
    return [row[1] for row in published]
