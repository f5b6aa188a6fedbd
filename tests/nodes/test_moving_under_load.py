"""Leads move to and fro while others write, and the mover is killed again and again: nothing is lost or twice."""

import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack

import psycopg
import pytest

from helpers.command_line import finish, start
from helpers.consumer_calls import acknowledge, claim
from helpers.log_form import problems_of_log
from helpers.nodes import Caller, Nodes

KILLS = 5

pytestmark = pytest.mark.slow("five movers are killed at work, and a sixth ends it")


class Writer(threading.Thread):
    """Enters leads, holds and releases them, through the router; it notes what it was told that it did."""

    def __init__(self, nodes: Nodes, number: int, stop: threading.Event):
        super().__init__()
        self.nodes, self.number, self.stop = nodes, number, stop
        self.done: Counter[tuple[int, str]] = Counter()
        self.leads: list[int] = []
        self.slowest, self.again = 0.0, 0
        self.failed: Exception | None = None

    def run(self):
        """Work until told to stop; an error of any call ends it, and fails the test."""
        chance = random.Random(self.number)
        try:
            with ExitStack() as stack:
                caller = Caller(self.nodes, stack)
                while not self.stop.wait(0.1):  # not as fast as it can: a log of thousands of rows is another test
                    self.one_call(caller, chance)
                self.again = caller.again
        except Exception as error:
            self.failed = error

    def one_call(self, caller: Caller, chance: random.Random):
        """Enter a lead, or hold or release one of mine."""
        begin = time.monotonic()
        user = 1000 + self.number
        if len(self.leads) < 20 or (len(self.leads) < 40 and chance.random() < 0.05):
            lead = 10_000_000 * (self.number + 1) + len(self.leads)
            caller.call(
                lead,
                "SELECT lead_protection.protect_lead(%s, 1, %s, lead_id => %s)",
                [user, f"request {lead}", lead],
            )
            self.leads.append(lead)
            self.done[lead, "lead.created"] += 1
        else:
            lead = chance.choice(self.leads)
            ((created,),) = caller.call(
                lead, "SELECT created FROM lead_protection.create_lead_hold(%s, %s, 'x', 1)", [lead, user]
            )
            self.done[lead, "lead.hold.created"] += created
            ((released,),) = caller.call(
                lead, "SELECT released FROM lead_protection.release_lead_hold(%s, %s, 1)", [lead, user]
            )
            self.done[lead, "lead.hold.released"] += released
        self.slowest = max(self.slowest, time.monotonic() - begin)


class Consumer(threading.Thread):
    """Takes the events of all nodes, as one who claims on each; some attempts fail, and come again."""

    def __init__(self, nodes: Nodes, stop: threading.Event):
        super().__init__()
        self.nodes, self.stop = nodes, stop
        self.handled: list[tuple[str, str, str]] = []
        self.failed: Exception | None = None

    def run(self):
        """Handle what comes until nothing more comes and it is told to stop."""
        try:
            with ExitStack() as stack:
                caller = Caller(self.nodes, stack)
                while True:
                    last = self.stop.is_set()
                    if not self.one_round(caller) and last:
                        return
        except Exception as error:
            self.failed = error

    def one_round(self, caller: Caller) -> int:
        """Handle a batch of each node; how many events that were."""
        count = 0
        for node in caller.nodes.values():
            events = claim(node, batch_size=50, lease="1 minute")
            count += len(events)
            for event in events:
                self.handled.append((str(event.id), event.aggregateid, event.type))
                status = acknowledge(node, event)
                assert status == ("acknowledged", True), status
        return count


def kill(nodes: Nodes, process, how: int) -> None:
    """Kill the mover: the process, or one of its sessions, each in another place."""
    if how % 2 == 0:
        process.send_signal(signal.SIGKILL)
        return
    with psycopg.connect(nodes.router_url, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'lead-protection' ORDER BY backend_start OFFSET %s LIMIT 1) AS s",
            [how % 3],
        )


@pytest.mark.thorough(
    "five kills under load",
    by_day="nodes/test_moving.py::test_who_dies_between_the_commits_has_lost_nothing",
)
def test_five_movers_are_killed_under_load_and_nothing_is_lost_or_twice(nodes: Nodes):
    before = nodes.owners()
    stop, no_more = threading.Event(), threading.Event()
    writers = [Writer(nodes, number, stop) for number in range(3)]
    consumer = Consumer(nodes, no_more)
    for node in nodes.nodes.values():
        node.execute("DELETE FROM lead_protection.event_deliveries")
    chance, killed, to = random.Random(7), 0, "two"
    threads: list[Writer | Consumer] = [*writers, consumer]
    for thread in threads:
        thread.start()
    try:
        while killed < KILLS:
            process = start("move-slots", "0-63", "--to", to, "--database", nodes.router_url)
            time.sleep(chance.uniform(0.7, 4))  # the moment of the kill, not a wait for anything
            kill(nodes, process, killed)
            status, output = finish(process, 120)
            if status == 0:
                to = "one" if to == "two" else "two"
            else:
                killed += 1
        status, output = finish(start("move-slots", "0-63", "--to", to, "--database", nodes.router_url), 180)
        assert status == 0, output
    finally:
        stop.set()
        for writer in writers:
            writer.join()
        no_more.set()
        consumer.join()
    assert [thread.failed for thread in threads] == [None] * 4

    # Each lead is on one node, the one that all were moved to.
    owners, mine = nodes.owners(), {lead for writer in writers for lead in writer.leads}
    assert owners.keys() == before.keys() | mine and nodes.on_its_way() == 0
    assert all(names == [to] for names in owners.values())
    # What was done, and told to be done, is in the log once, and was handled once.
    done = {key: n for writer in writers for key, n in writer.done.items() if n}
    logged: Counter[tuple[int, str]] = Counter()
    for lead, event_type in nodes[to].execute(
        "SELECT lead_id, event_type FROM lead_protection.protection_log WHERE lead_id = ANY(%s)", [list(mine)]
    ):
        logged[lead, event_type] += 1
    assert logged == done
    assert len({event_id for event_id, _, _ in consumer.handled}) == len(consumer.handled)
    assert Counter((int(lead), kind) for _, lead, kind in consumer.handled if int(lead) in mine) == done
    # In the order of each lead.
    for lead in mine:
        kinds = [kind for _, of, kind in consumer.handled if int(of) == lead]
        assert kinds == [
            kind
            for (kind,) in nodes[to].execute(
                "SELECT event_type FROM lead_protection.protection_log WHERE lead_id = %s ORDER BY log_number", [lead]
            )
        ]
    for node in nodes.nodes.values():
        node.execute("SELECT lead_protection.seal_protection_log()")
        assert problems_of_log(node) == []
        assert node.execute("SELECT count(*) FROM lead_protection.find_clock_drift()").fetchone() == (0,)
    print(
        f"{sum(done.values())} things done, {len(mine)} leads entered,"
        f" {sum(writer.again for writer in writers)} calls sent on,"
        f" slowest {max(writer.slowest for writer in writers):.3f} s"
    )
