"""Nodes of a router, the first of which has had a life."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from helpers.consumer_calls import acknowledge, claim, fail, register
from helpers.nodes import Nodes, cluster
from helpers.seals import live, seal
from helpers.server import Server


@pytest.fixture(scope="session")
def lived_template(new_database: Callable, server: Server, sample_template: str) -> Iterator[str]:
    """The sample, of which some leads have lived on, with consumers that are at different places, and seals."""
    with new_database(sample_template) as name:
        with psycopg.connect(server.url(name), autocommit=True) as db:
            register(db, "crm", since="-infinity", attempt_limit=1)
            register(db, "mailer", types=["lead.protection.reminder", "lead.protection.warning"])
            leads = [
                lead_id
                for (lead_id,) in db.execute(
                    "SELECT lead_id FROM lead_protection.v_user_lead_protection"
                    " WHERE state <> 'CLOSED' AND user_id IS NOT NULL ORDER BY lead_id LIMIT 80"
                ).fetchall()
            ]
            seal(db)
            live(db, leads, 1, 200)
            db.execute(
                "SELECT lead_protection.hold_leads('bulk', 'strike', 1, %s), "
                "lead_protection.erase_texts('asked for', 1, %s)",
                [leads[:30], leads[20:40]],
            )
            handled, failed, *_ = claim(db, batch_size=60), claim(db, batch_size=20)
            for event in handled:
                acknowledge(db, event)
            for event in failed:
                fail(db, event)
            # A lease that has run out, whose consumer died.
            claim(db, batch_size=20, lease="1 millisecond")
            db.execute("CALL lead_protection.run_protection_pipeline()")
            db.execute(
                "INSERT INTO lead_protection.reminder_deliveries (lead_id, user_id, window_date, message_id, outcome,"
                " occurred_at, why) SELECT lead_id, user_id, window_date, 'm' || row_number() OVER (), 'failed', now(),"
                " 'no such box' FROM lead_protection.lead_reminders LIMIT 5"
            )
            db.execute(
                "INSERT INTO lead_protection.lead_warnings SELECT lead_id, user_id, window_date, 30, 'user', 1,"
                " protection_expires_at, due_at, sent_at FROM lead_protection.lead_reminders LIMIT 5"
            )
            live(db, leads, 2, 50)
        yield name


@pytest.fixture
def nodes(new_database: Callable, server: Server, lived_template: str, template: str) -> Iterator[Nodes]:
    """A router over node one, which has the leads and all slots, and node two, which is empty."""
    with cluster(new_database, server, {"one": lived_template, "two": template}) as made:
        yield made


@pytest.fixture
def twin(new_database: Callable, server: Server, lived_template: str) -> Iterator[psycopg.Connection]:
    """The same leads on one database, which is never split."""
    with new_database(lived_template) as name, psycopg.connect(server.url(name), autocommit=True) as connection:
        yield connection
