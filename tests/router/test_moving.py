"""Leads move from node to node by the real command, while applications call the router and nothing else."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from helpers.command_line import finish, start
from helpers.load import Load
from helpers.routers import Routed, routed, run
from helpers.server import Server


@pytest.fixture
def two(server: Server, new_database: Callable, template: str) -> Iterator[Routed]:
    """A router of its own, with two nodes."""
    with routed(server, new_database, template, number=2) as made:
        yield made


class Application:
    """Holds and releases leads through the router; it notes what it was told that it did."""

    def __init__(self, url: str, leads: list[int], number: int):
        self.leads, self.chance = leads, random.Random(number)
        self.done: Counter[tuple[int, str]] = Counter()
        self.load = Load(url, self.work)

    def work(self, db: psycopg.Connection) -> None:
        """Hold and release one of the leads, and not as fast as it can."""
        lead = self.chance.choice(self.leads)
        hold = "SELECT created FROM lead_protection.create_lead_hold(%s, 7, 'x', 1)"
        release = "SELECT released FROM lead_protection.release_lead_hold(%s, 7, 1)"
        ((created,),) = db.execute(hold, [lead]).fetchall()
        ((released,),) = db.execute(release, [lead]).fetchall()
        self.done[lead, "lead.hold.created"] += created
        self.done[lead, "lead.hold.released"] += released
        self.load.stopping.wait(0.02)

    def stop(self) -> None:
        """Wait until it has stopped; no call of it may have failed, and no connection broken."""
        self.load.stop()
        assert self.load.lost == 0


def enter(two: Routed, number: int) -> list[int]:
    """Leads that are entered through the router."""
    query = "SELECT lead_id FROM lead_protection.protect_lead(7, 1, %s)"
    return [two.router.execute(query, [f"request {nth}"]).fetchone()[0] for nth in range(number)]


def half_of(two: Routed, node: str) -> list[str]:
    """Every other slot of a node."""
    query = "SELECT slot::text FROM lead_protection_router.slots WHERE node_name = %s ORDER BY slot"
    return [slot for (slot,) in two.router.execute(query, [node]).fetchall()][::2]


def check_all(two: Routed, leads: list[int], expected: dict[int, str], applications: list[Application]) -> None:
    """Each lead is on one node, the router shows it once, and what applications were told to be done is logged once."""
    shown = two.router.execute("SELECT lead_id, node_name FROM lead_protection.v_user_lead_protection").fetchall()
    assert sorted(shown) == sorted(expected.items())
    for name, db in two.nodes.items():
        here = db.execute("SELECT id FROM lead_protection.leads ORDER BY id").fetchall()
        assert here == sorted((lead,) for lead in leads if expected[lead] == name)
        assert db.execute("SELECT count(*) FROM lead_protection.lead_moves WHERE packed IS NOT NULL").fetchone() == (0,)
        db.execute("SELECT lead_protection.seal_protection_log()")
        assert db.execute("SELECT * FROM lead_protection.verify_protection_log()").fetchall() == []
        assert db.execute("SELECT * FROM lead_protection.find_clock_drift()").fetchall() == []
    done = sum((application.done for application in applications), Counter())
    logged = Counter(
        two.router.execute(
            "SELECT lead_id, event_type FROM lead_protection.protection_log WHERE event_type <> 'lead.created'"
        ).fetchall()
    )
    assert logged == +done
    assert sum(done.values()) > 0


@pytest.mark.slow("leads move while applications are at work")
def test_an_application_sees_nothing_of_a_move(two: Routed):
    leads = enter(two, 40)
    assert {two.node_of(lead).info.dbname for lead in leads} == {node.info.dbname for node in two.nodes.values()}
    applications = [Application(two.url, leads, number) for number in range(2)]
    for slots, node in (("0-63", "n1"), ("0-31", "n0"), ("0-63", "n0"), ("32-63", "n1")):
        assert f"{node} has the slots" in run("move-slots", slots, "--to", node, url=two.url)
    for application in applications:
        application.stop()

    slot_of = "SELECT lead_id, lead_protection_router.slot_of(lead_id) FROM unnest(%s::bigint[]) AS l (lead_id)"
    slot: dict[int, int] = dict(two.router.execute(slot_of, [leads]).fetchall())
    expected = {lead: "n0" if slot[lead] < 32 else "n1" for lead in leads}
    check_all(two, leads, expected, applications)
    # A repeated request finds its lead where it is now.
    again = two.router.execute("SELECT lead_id, changed FROM lead_protection.protect_lead(7, 1, 'request 3')")
    assert again.fetchone() == (leads[3], False)


@pytest.mark.thorough(
    "four nodes, five kills under load",
    by_day="router/test_moving.py::test_an_application_sees_nothing_of_a_move"
    " nodes/test_moving.py::test_who_dies_between_the_commits_has_lost_nothing",
)
def test_two_nodes_become_four_under_load_with_five_kills(
    two: Routed, new_database: Callable, template: str, wait_until: Callable
):
    leads = enter(two, 240)
    applications = [Application(two.url, leads, number) for number in range(2)]
    moved = "SELECT count(*) FROM lead_protection_router.moved_leads"
    with ExitStack() as stack:
        for name in ("n2", "n3"):
            two.add(name, stack.enter_context(new_database(template)))
        for source, node, kills in (("n0", "n2", 3), ("n1", "n3", 2)):
            slots = half_of(two, source)
            for _ in range(kills):
                ((before,),) = two.router.execute(moved).fetchall()
                mover = start("move-slots", *slots, "--to", node, "--batch-size", "2", "--database", two.url)
                wait_until(lambda before=before: two.router.execute(moved).fetchone()[0] >= before + 8, timeout=60)
                mover.kill()
                assert finish(mover)[0] != 0
            assert f"{node} has the slots" in run("move-slots", *slots, "--to", node, url=two.url)
        for application in applications:
            application.stop()
        expected = {lead: two.name_of(lead) for lead in leads}
        assert set(expected.values()) == {"n0", "n1", "n2", "n3"}
        check_all(two, leads, expected, applications)
        for name in ("n2", "n3"):
            two.nodes[name].close()
