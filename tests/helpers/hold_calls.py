"""Calling the hold functions, and looking at what they left."""

from datetime import UTC, datetime, timedelta

from psycopg.rows import tuple_row

from helpers.calls import call, rows
from helpers.facts import ago

DAY = timedelta(days=1)
STATE = ("state", "on_hold", "protection_expires_at", "reminder_due_at")
TABLES = (
    "leads",
    "lead_holds",
    "lead_clocks",
    "lead_reminders",
    "lead_expiries",
    "protection_log",
    "outbox_events",
    "bulk_hold_requests",
    "bulk_hold_results",
)


def from_now(days):
    """The instant so many days of 24 hours from now, by the clock of this machine, which is the server's."""
    return ago(-days)


def span(first, last):
    """Two instants, exactly so many days apart."""
    now = datetime.now(UTC)
    return now + first * DAY, now + last * DAY


def create(db, lead_id=1, user_id=7, reason="x", actor_id=1, **more):
    """Call create_lead_hold and return its row."""
    return call(db, "create_lead_hold", lead_id=lead_id, user_id=user_id, reason=reason, actor_id=actor_id, **more)[0]


def correct(db, hold_id, version, start_at, end_at, reason="why", actor_id=99, **more):
    """Call correct_lead_hold and return its row."""
    named = {"start_at": start_at, "end_at": end_at, "reason": reason, "actor_id": actor_id} | more
    return call(db, "correct_lead_hold", hold_id=hold_id, version=version, **named)[0]


def void(db, hold_id, version, reason="why", actor_id=99, **more):
    """Call void_lead_hold and return its row."""
    named = {"reason": reason, "actor_id": actor_id} | more
    return call(db, "void_lead_hold", hold_id=hold_id, version=version, **named)[0]


def override(db, hold_id, version, until_at, reason="why", actor_id=99):
    """Call override_hold_limit and return its row."""
    named = {"until_at": until_at, "reason": reason, "actor_id": actor_id}
    return call(db, "override_hold_limit", hold_id=hold_id, version=version, **named)[0]


def release(db, lead_id=1, user_id=7, actor_id=1):
    """Call release_lead_hold and return its rows."""
    return call(db, "release_lead_hold", lead_id=lead_id, user_id=user_id, actor_id=actor_id)


def told_of_hold(answer):
    """What an answer tells of the hold, without the lead before and after; if it created none, these are the same."""
    ends = ("state", "on_hold", "expires", "reminder_due")
    if not (answer["created"] or answer["released"]):
        assert [answer[f"{end}_before"] for end in ends] == [answer[f"{end}_after"] for end in ends]
    of_lead = {"decided_at"} | {f"{end}_{when}" for end in ends for when in ("before", "after")}
    return {name: value for name, value in answer.items() if name not in of_lead}


def hold_row(db, hold_id):
    """The hold's row."""
    return rows(db, "SELECT * FROM lead_protection.lead_holds WHERE id = %s", (hold_id,))[0]


def view(db, lead_id=1):
    """The lead's row of the main view, but for what passes between two looks."""
    (row,) = rows(db, "SELECT * FROM lead_protection.v_user_lead_protection WHERE lead_id = %s", (lead_id,))
    return {name: value for name, value in row.items() if name != "time_left"}


def active(db):
    """The rows of v_active_holds."""
    return rows(db, "SELECT * FROM lead_protection.v_active_holds ORDER BY hold_id")


def log(db, event_type):
    """The log rows of that type, oldest first."""
    return rows(
        db, "SELECT * FROM lead_protection.protection_log WHERE event_type = %s ORDER BY occurred_at", (event_type,)
    )


def everything(db):
    """A fingerprint of all that a refused or repeated call must leave as it is."""
    with db.cursor(row_factory=tuple_row) as cursor:
        return [
            cursor.execute(
                f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM lead_protection.{table} AS t"
            ).fetchone()
            for table in TABLES
        ]


def limited_policy(db, name="limited", **limits):
    """Make a policy with limits on holds and return its id."""
    return call(db, "create_policy_version", name=name, actor_id=1, time_zone="UTC", **limits)[0]["policy_id"]


def consistent(db):
    """The cache equals the rule, and the outbox the log."""
    assert rows(db, "SELECT lead_id FROM lead_protection.find_clock_drift()") == []
    apart = (
        "SELECT event_id, event_type FROM lead_protection.protection_log AS g"
        " FULL JOIN lead_protection.outbox_events AS o ON g.event_id = o.id AND g.event_type = o.type"
        " AND g.lead_id::text = o.aggregateid"
        " WHERE (g.event_id IS NULL AND o.aggregatetype = 'lead') OR o.id IS NULL"
    )
    assert rows(db, apart) == []
