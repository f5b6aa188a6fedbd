"""A database in which all kinds of rows are, and all that can be seen of it: for telling whether a move lost any."""

from datetime import datetime

import psycopg

from helpers.project import PROJECT
from helpers.rows import columns_of_tables, rows_of_tables


def live_in(db: psycopg.Connection) -> None:
    """Let all kinds of rows come to a database that has the demo's sample."""
    db.execute("SELECT lead_protection.register_event_consumer('crm', since => '-infinity')")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("SELECT lead_protection.hold_leads('key', 'x', 1, ARRAY[12, 36])")
    db.execute(
        "SELECT lead_protection.acknowledge_events('crm', lease_token, ARRAY[id])"
        " FROM lead_protection.claim_events('crm', 5)"
    )
    db.execute("CALL lead_protection.run_nightly_maintenance()")


def load_sample(db: psycopg.Connection) -> None:
    """Load what the demo loads."""
    for name in ("examples/freshfoodz.sql", "demo/sample.sql"):
        db.execute((PROJECT / name).read_text(encoding="utf-8"))


def look(db: psycopg.Connection, at: datetime) -> tuple:
    """All rows, what is shown, and the numbers that come next."""
    return (
        rows_of_tables(db, columns_of_tables(db)),
        db.execute("SELECT * FROM lead_protection.user_lead_protection(%s) ORDER BY lead_id", (at,)).fetchall(),
        db.execute(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'lead_protection' ORDER BY 1"
        ).fetchall(),
    )
