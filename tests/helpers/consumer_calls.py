"""Calling the functions for consumers of events, and making events and time pass for them."""

from psycopg import sql
from psycopg.rows import namedtuple_row

CREATED, RELEASED = "lead.hold.created", "lead.hold.released"


def register(db, name="crm", **settings):
    """Register a consumer; keywords as those of the function."""
    arguments = {"consumer_name": name} | settings
    call = sql.SQL("SELECT * FROM lead_protection.register_event_consumer({})").format(
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in arguments)
    )
    return db.execute(call, arguments).fetchone()


def claim(db, name="crm", batch_size=100, lease="5 minutes"):
    """Claim events; rows with named columns."""
    with db.cursor(row_factory=namedtuple_row) as cursor:
        call = "SELECT * FROM lead_protection.claim_events(%s, %s, %s)"
        return cursor.execute(call, (name, batch_size, lease)).fetchall()


def acknowledge(db, event, name="crm"):
    """Acknowledge one event; its status and whether this call did it."""
    return db.execute(
        "SELECT status, changed FROM lead_protection.acknowledge_events(%s, %s, %s)",
        (name, event.lease_token, [event.id]),
    ).fetchone()


def fail(db, event, name="crm", error="x"):
    """Fail one event; its status and whether this call did it."""
    return db.execute(
        "SELECT status, changed FROM lead_protection.fail_events(%s, %s, %s, %s)",
        (name, event.lease_token, [event.id], error),
    ).fetchone()


def emit(db, lead_id=1, times=1):
    """Let a lead have events: a hold made and released, so often."""
    for _ in range(times):
        db.execute("SELECT lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
        db.execute("SELECT lead_protection.release_lead_hold(%s, 7, 1)", (lead_id,))


def statuses(db, name="crm"):
    """The consumer's deliveries in the order of the events."""
    rows = db.execute(
        "SELECT status FROM lead_protection.event_deliveries WHERE consumer_name = %s ORDER BY sequence_number", (name,)
    )
    return [row[0] for row in rows]


def count_events(db):
    return db.execute("SELECT count(*) FROM lead_protection.outbox_events").fetchone()[0]


def handle_all(db, name="crm"):
    """Acknowledge everything; the types in the order in which they were handled."""
    handled = []
    while events := claim(db, name):
        for event in events:
            acknowledge(db, event, name)
            handled.append(event)
    return handled
