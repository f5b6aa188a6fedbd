"""A node that is down: its leads' calls are refused at once, all others go on, and lists say what is missing."""

import os
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest

from helpers.debian_tools import unpacked
from helpers.project import poll, run_program
from helpers.routers import command, run
from helpers.server import Server, databases, postmaster
from helpers.standby import Cluster, cluster, configure, standby_of

pytestmark = pytest.mark.slow("servers of their own, which are stopped and promoted")

ENTER = "SELECT lead_id FROM lead_protection.protect_lead(%s, 9, %s)"
EXPLAIN = "SELECT count(*) > 0 FROM lead_protection.explain_protection(%s)"
# Long for a refusal that comes by itself, and much less than any time limit of a network.
AT_ONCE = 5


class Two:
    """A router on one server, with a node there and one on a server that may go."""

    def __init__(self, server: Server, router: str, here: str, there: Cluster):
        self.url = server.url(router)
        self.there = there
        command("add-node", "here", f"host={server.host} user=postgres dbname={here}", url=self.url)
        command("add-node", "there", self.connection(there), url=self.url)
        self.router = psycopg.connect(self.url, autocommit=True)
        self.leads: dict[str, list[int]] = {}
        for nth in range(12):
            ((lead_id,),) = self.router.execute(ENTER, [73_001, f"fault-{nth}"]).fetchall()
            self.leads.setdefault(self.node_of(lead_id), []).append(lead_id)

    @staticmethod
    def connection(node: Cluster) -> str:
        return f"host={node.sockets} user=postgres dbname=node"

    def node_of(self, lead_id: int) -> str:
        return self.router.execute("SELECT lead_protection_router.node_of(%s)", [lead_id]).fetchone()[0]

    def refused(self, query: str, *values: object) -> psycopg.errors.Diagnostic:
        """What a call is refused with, at once."""
        begun = time.monotonic()
        with pytest.raises(psycopg.Error) as raised:
            self.router.execute(query, values)
        assert time.monotonic() - begun < AT_ONCE
        return raised.value.diag


@pytest.fixture(scope="module")
def two(server: Server, template: str) -> Iterator[Two]:
    unpacked("router")
    with databases(server, "fault") as make, make(template) as here, make() as router, cluster() as there:
        with psycopg.connect(there.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE node")
        run("apply", url=there.url("node"))
        made = Two(server, router, here, there)
        yield made
        made.router.close()


def test_a_node_that_is_stopped(two):
    assert set(two.leads) == {"here", "there"}
    ours, theirs = two.leads["here"][0], two.leads["there"][0]
    rows = "SELECT count(*) FROM lead_protection.protection_as_of() WHERE user_id = 73001"
    assert two.router.execute(rows).fetchone() == (12,)
    two.there.stop()
    try:
        for _ in range(3):
            diag = two.refused(EXPLAIN, theirs)
            assert (diag.sqlstate, diag.message_primary) == ("LP130", "node there does not answer")
            assert "there: " in diag.message_detail and "Leads of other nodes" in diag.message_hint
            assert two.router.execute(EXPLAIN, [ours]).fetchone() == (True,)
        query = "SELECT lead_id, user_id FROM lead_protection_router.lead_now(%s)"
        assert two.router.execute(query, [ours]).fetchone() == (ours, 73_001)
        diag = two.refused("SELECT lead_protection.close_lead(%s, 73001, 'LOST', 'no', 9)", theirs)
        assert diag.sqlstate == "LP130" and "repeat it with the same arguments" in diag.message_hint

        # Lists do not show less without saying so.
        diag = two.refused(rows)
        assert diag.sqlstate == "LP130" and "lead_protection.missing_nodes" in diag.message_hint
        notices = []
        two.router.add_notice_handler(lambda notice: notices.append((notice.sqlstate, notice.message_primary)))
        with two.router.transaction():
            two.router.execute("SET LOCAL lead_protection.missing_nodes = 'warn'")
            assert two.router.execute(rows).fetchone() == (len(two.leads["here"]),)
        assert ("LP130", "without the leads of node there") in notices
        view = "SELECT count(*) FROM lead_protection.v_user_lead_protection WHERE user_id = 73001"
        assert '"lead_protection_there"' in two.refused(view).message_primary
        assert two.router.execute(view + " AND node_name <> 'there'").fetchone() == (len(two.leads["here"]),)

        # What is done on all nodes is done on none.
        assert two.refused("SELECT lead_protection.create_policy_version('x', 9)").sqlstate == "LP130"
        assert two.refused("SELECT lead_protection.pause_protection('x', 9)").sqlstate == "LP130"
        # What any node answers, one does.
        query = "SELECT lead_protection.easter_sunday(2026), (SELECT count(*) FROM lead_protection.error_codes)"
        assert two.router.execute(query).fetchone()[1] > 50
        query = "SELECT node_name, status FROM lead_protection.health WHERE check_name = 'node'"
        assert two.router.execute(query).fetchall() == [("here", "ok"), ("there", "critical")]
        query = "SELECT labels ->> 'node', value FROM lead_protection.v_metrics WHERE metric = 'lead_node_up'"
        assert dict(two.router.execute(query).fetchall()) == {"here": 1, "there": 0}
    finally:
        two.there.start()
    assert two.router.execute(EXPLAIN, [theirs]).fetchone() == (True,)
    assert two.router.execute(rows).fetchone() == (12,)
    assert two.router.execute("SELECT paused_at FROM lead_protection.settings").fetchall() == [(None,)] * 2


def test_events_of_the_other_node_are_claimed_and_the_silent_one_is_told(two):
    assert two.router.execute("SELECT lead_protection.register_event_consumer('crm')").fetchone()
    for node, leads in two.leads.items():
        extend = "SELECT changed FROM lead_protection.extend_lead(%s, 73001, 1, 'more', 5, 9, %s)"
        assert two.router.execute(extend, [leads[1], f"event-{node}"]).fetchone() == (True,)
    two.there.stop()
    claim = "SELECT node_name, aggregateid FROM lead_protection.claim_events('crm')"
    try:
        assert two.router.execute(claim).fetchall() == [("here", str(two.leads["here"][1]))]
        # That nothing waits is not known.
        assert two.refused(claim).sqlstate == "LP130"
    finally:
        two.there.start()
    assert two.router.execute(claim).fetchall() == [("there", str(two.leads["there"][1]))]
    assert two.router.execute(claim).fetchall() == []


def test_a_node_that_is_killed_within_a_call(two):
    """The connection is there, and breaks: the call is refused, and repeated it is done once."""
    theirs = two.leads["there"][2]
    assert two.router.execute(EXPLAIN, [theirs]).fetchone() == (True,)
    two.there.kill()
    try:
        assert two.refused("SELECT lead_protection.close_lead(%s, 73001, 'LOST', 'no', 9)", theirs).sqlstate == "LP130"
    finally:
        two.there.start()
    query = "SELECT changed FROM lead_protection.close_lead(%s, 73001, 'LOST', 'no', 9)"
    assert two.router.execute(query, [theirs]).fetchone() == (True,)
    assert two.router.execute(query, [theirs]).fetchone() == (False,)


def test_a_node_that_is_frozen_is_given_up_after_the_statement_timeout(two):
    """Nothing comes from it and nothing ends: only a time limit does."""
    theirs, ours = two.leads["there"][3], two.leads["here"][3]
    pid = postmaster(two.there.home)
    frozen = [pid, *map(int, run_program(["pgrep", "-P", str(pid)]).stdout.split())]
    for each in frozen:
        os.kill(each, signal.SIGSTOP)
    try:
        with psycopg.connect(two.url, autocommit=True) as fresh:
            fresh.execute("SET statement_timeout = '1s'")
            begun = time.monotonic()
            with pytest.raises(psycopg.errors.QueryCanceled):
                fresh.execute(EXPLAIN, [theirs])
            assert 0.9 < time.monotonic() - begun < AT_ONCE
            assert fresh.execute(EXPLAIN, [ours]).fetchone() == (True,)
    finally:
        for each in frozen:
            os.kill(each, signal.SIGCONT)
    poll(lambda: two.router.execute(EXPLAIN, [theirs]).fetchone() == (True,), what="it answers again")


def test_a_promoted_standby_takes_the_place_of_its_node(two):
    theirs = two.leads["there"][4]
    with standby_of(two.there) as standby:
        configure(standby.home, cron__host=standby.sockets)
        close = "SELECT changed FROM lead_protection.close_lead(%s, 73001, 'LOST', 'no', 9)"
        assert two.router.execute(close, [theirs]).fetchone() == (True,)
        with psycopg.connect(two.there.url(), autocommit=True) as primary:
            poll(
                lambda: primary.execute(
                    "SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
                ).fetchone() == (True,),
                what="the standby has all",
            )  # fmt: skip
        two.there.stop()
        try:
            assert two.refused(EXPLAIN, theirs).sqlstate == "LP130"
            with psycopg.connect(standby.url(), autocommit=True) as promoted:
                promoted.execute("SELECT pg_promote()")
            command("repoint", "there", two.connection(standby), url=two.url)
            # The session that was open all the time goes there.
            assert two.router.execute(close, [theirs]).fetchone() == (False,)
            query = "SELECT state FROM lead_protection.v_user_lead_protection WHERE lead_id = %s"
            assert two.router.execute(query, [theirs]).fetchone() == ("CLOSED",)
            assert two.router.execute(ENTER, [73_001, "fault-0"]).fetchone()
        finally:
            two.there.start()
            command("repoint", "there", two.connection(two.there), url=two.url)
