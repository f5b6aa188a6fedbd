"""Killed at any point, under load, again and again: nothing is lost, nothing is sent twice.

A PostgreSQL of its own with full durability, whose postmaster is killed; real mailers, which are killed, too. All
clients go on as soon as they can.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import PROTECTED, REMINDER_DUE, events, insert_lead_of_age
from helpers.load import Load
from helpers.mail import Mailbox, kill, register_mailer, start_mailer
from helpers.project import cases, poll, seed
from helpers.schemas import faults_in_outbox
from helpers.server import home_of, postmaster, private_postgres, start_again

ROUNDS = cases(20, usual=5, fast=2)
LEADS_ON_HOLD = 20


class DurableServer:
    """A private PostgreSQL that waits for the disk, and can be killed."""

    def __init__(self, directory: str):
        self.directory = directory
        self.start()
        self.url = private_postgres("url", directory)

    def start(self) -> None:
        private_postgres("start", self.directory)

    def crash(self) -> None:
        """Kill the postmaster; its children notice and go."""
        os.kill(postmaster(home_of(self.directory)), signal.SIGKILL)

    def recover(self) -> None:
        """Start it again, as soon as the last of the old processes has gone."""
        start_again(self.start)


@pytest.fixture
def durable_server() -> Iterator[DurableServer]:
    directory = tempfile.mkdtemp(prefix="lead-protection-")
    try:
        yield DurableServer(directory)
    finally:
        private_postgres("stop", "--remove", directory)


def counts_none(db: psycopg.Connection, query: str) -> bool:
    """Whether a count is 0 by now."""
    return db.execute(query).fetchone() == (0,)


@pytest.mark.slow("a server is killed over and over")
def test_killed_server_and_killed_mailers_lose_nothing_and_send_nothing_twice(durable_server):
    chance = random.Random(seed())
    url = durable_server.url
    run_ok("apply", "--database", url)
    with psycopg.connect(url, autocommit=True) as db:
        register_mailer(db, attempt_limit=1000)
        # Little by little, so that there is work in each round.
        db.execute("SELECT lead_protection.configure_reminders(reminders_per_run => 10)")
        for lead_id in range(1, LEADS_ON_HOLD + 1):
            insert_lead_of_age(db, lead_id, PROTECTED)

    committed: list[int] = []
    made_holds: list[int] = []
    next_lead = iter(range(1000, 10**9))

    def bring_leads(db: psycopg.Connection) -> None:
        lead_id = next(next_lead)
        insert_lead_of_age(db, lead_id, REMINDER_DUE, user_id=lead_id % 10)
        committed.append(lead_id)
        time.sleep(0.01)

    def make_holds(db: psycopg.Connection) -> None:
        lead_id = random.randint(1, LEADS_ON_HOLD)
        ((hold_id,),) = db.execute("SELECT hold_id FROM lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
        made_holds.append(hold_id)
        db.execute("SELECT lead_protection.release_lead_hold(%s, 7, 1)", (lead_id,))

    def run_pipeline(db: psycopg.Connection) -> None:
        db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 3)")

    with Mailbox() as mailbox:

        def new_mailer():
            # A short lease: what a killed mailer had claimed must come again within this test.
            return start_mailer(url, mailbox.address, "--poll", "0.05", "--batch-size", "5", "--lease", "3 seconds")

        mailers = [new_mailer(), new_mailer()]
        loads = [Load(url, work) for work in (bring_leads, make_holds, run_pipeline, run_pipeline)]
        try:
            for _ in range(ROUNDS):
                victim = chance.choice(["server", "mailer", "both"])
                time.sleep(chance.uniform(0.1, 1.0))  # the random moment, not a wait for anything
                if victim != "server":
                    number = chance.randrange(2)
                    kill(mailers[number])
                    mailers[number] = new_mailer()
                if victim != "mailer":
                    durable_server.crash()
                    durable_server.recover()
            for load in loads[:2]:
                load.stop()
            with psycopg.connect(url, autocommit=True) as db:
                waiting = (
                    "SELECT count(*) FROM lead_protection.v_user_lead_protection WHERE state = 'REMINDER_DUE'",
                    "SELECT count(*) FROM lead_protection.event_deliveries WHERE status = 'pending'",
                )
                for query in waiting:
                    poll(partial(counts_none, db, query), timeout=120, what="all is done")
            for load in loads[2:]:
                load.stop()
        finally:
            for load in loads:
                load.stopping.set()
            for mailer in mailers:
                mailer.kill()

        with psycopg.connect(url, autocommit=True) as db:

            def column(query: str) -> list:
                return [row[0] for row in db.execute(query)]

            leads = column("SELECT id FROM lead_protection.leads WHERE id >= 1000 ORDER BY 1")
            reminded = column("SELECT lead_id FROM lead_protection.lead_reminders ORDER BY 1")
            asked = column(
                "SELECT lead_id FROM lead_protection.protection_log"
                " WHERE event_type = 'lead.protection.reminder' ORDER BY 1"
            )
            assert len(committed) > ROUNDS
            assert set(committed) <= set(leads), "what was committed is there"
            assert set(made_holds) <= set(column("SELECT id FROM lead_protection.lead_holds"))
            assert leads == reminded == asked, "one reminder and one event for each lead that was due, and no more"
            states = "SELECT DISTINCT outcome, attempts FROM lead_protection.v_lead_reminders"
            assert db.execute(states).fetchall() == [("delivered", 1)]
            assert column("SELECT DISTINCT status FROM lead_protection.event_deliveries") == ["acknowledged"]
            expected = column(
                "SELECT format('<%s@example.com>', id) FROM lead_protection.outbox_events"
                " WHERE type = 'lead.protection.reminder'"
            )
            assert set(mailbox.ids()) == set(expected), "each was mailed, and repeats have the same id"
            assert events(db), "the log tells what the outbox tells"
            assert faults_in_outbox(db) == []
            assert column("SELECT lead_id FROM lead_protection.find_clock_drift()") == []
    repeats = len(mailbox.mails) - len(expected)
    print(f"{len(leads)} reminders, {repeats} mails repeated, connections lost: {[load.lost for load in loads]}")
