"""Leads move from node to node by the real command, while applications call the router and nothing else."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import psycopg
import pytest

from helpers.routers import Routed, routed, run
from helpers.server import Server

LEADS = 40


@pytest.fixture
def two(server: Server, new_database: Callable, template: str) -> Iterator[Routed]:
    """A router of its own, with two nodes."""
    with routed(server, new_database, template, number=2) as made:
        yield made


class Application(threading.Thread):
    """Holds and releases leads through the router; it notes what it was told that it did."""

    def __init__(self, url: str, leads: list[int], number: int, stop: threading.Event):
        super().__init__()
        self.url, self.leads, self.chance, self.stop = url, leads, random.Random(number), stop
        self.done: Counter[tuple[int, str]] = Counter()
        self.failed: Exception | None = None

    def run(self):
        """Work until told to stop; an error of any call ends it, and fails the test."""
        try:
            with psycopg.connect(self.url, autocommit=True) as db:
                while not self.stop.wait(0.02):
                    lead = self.chance.choice(self.leads)
                    hold = "SELECT created FROM lead_protection.create_lead_hold(%s, 7, 'x', 1)"
                    release = "SELECT released FROM lead_protection.release_lead_hold(%s, 7, 1)"
                    ((created,),) = db.execute(hold, [lead]).fetchall()
                    ((released,),) = db.execute(release, [lead]).fetchall()
                    self.done[lead, "lead.hold.created"] += created
                    self.done[lead, "lead.hold.released"] += released
        except Exception as error:
            self.failed = error


@pytest.mark.slow("leads move while applications are at work")
def test_an_application_sees_nothing_of_a_move(two: Routed):
    leads = [
        two.router.execute(
            "SELECT lead_id FROM lead_protection.protect_lead(7, 1, %s)", [f"request {number}"]
        ).fetchone()[0]
        for number in range(LEADS)
    ]
    assert {two.node_of(lead).info.dbname for lead in leads} == {node.info.dbname for node in two.nodes.values()}
    stop = threading.Event()
    applications = [Application(two.url, leads, number, stop) for number in range(2)]
    for application in applications:
        application.start()
    try:
        for slots, node in (("0-63", "n1"), ("0-31", "n0"), ("0-63", "n0"), ("32-63", "n1")):
            assert f"{node} has the slots" in run("move-slots", slots, "--to", node, url=two.url)
    finally:
        stop.set()
        for application in applications:
            application.join()
    assert [application.failed for application in applications] == [None, None]

    # Each lead is on one node, that of its slot, and the router shows it once.
    slot_of = "SELECT lead_id, lead_protection_router.slot_of(lead_id) FROM unnest(%s::bigint[]) AS l (lead_id)"
    slot: dict[int, int] = dict(two.router.execute(slot_of, [leads]).fetchall())
    expected = {lead: "n0" if slot[lead] < 32 else "n1" for lead in leads}
    shown = two.router.execute("SELECT lead_id, node_name FROM lead_protection.v_user_lead_protection").fetchall()
    assert sorted(shown) == sorted(expected.items())
    for name, db in two.nodes.items():
        here = db.execute("SELECT id FROM lead_protection.leads ORDER BY id").fetchall()
        assert here == sorted((lead,) for lead in leads if expected[lead] == name)
        db.execute("SELECT lead_protection.seal_protection_log()")
        assert db.execute("SELECT * FROM lead_protection.verify_protection_log()").fetchall() == []
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
    # What the applications were told to be done, is in the log once.
    done = sum((application.done for application in applications), Counter())
    logged = Counter(
        two.router.execute(
            "SELECT lead_id, event_type FROM lead_protection.protection_log WHERE event_type <> 'lead.created'"
        ).fetchall()
    )
    assert logged == +done
    assert sum(done.values()) > 0
    # A repeated request finds its lead where it is now.
    again = two.router.execute("SELECT lead_id, changed FROM lead_protection.protect_lead(7, 1, 'request 3')")
    assert again.fetchone() == (leads[3], False)
