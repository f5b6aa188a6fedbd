"""Nodes and a router on the test's server: what moves leads needs of a router, and a caller that is routed by it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from helpers.project import PROJECT
from helpers.server import Server

# Of the router's own files those that need no PL/Proxy, which is not everywhere that leads can move.
ROUTER = ("nodes", "slots", "moved_leads", "slot_of", "partition_of", "node_of")
# Where they differ, the node that leads come to refuses them.
AGREEMENT = "CREATE FUNCTION lead_protection_router.require_agreement() RETURNS void LANGUAGE sql RETURN NULL"
WHERE_IS = "SELECT lead_protection_router.node_of(%s)"


class Nodes:
    """A router and its nodes: one connection to each, as a superuser, autocommit."""

    def __init__(self, urls: dict[str, str], router_url: str, stack: ExitStack):
        self.router_url, self.urls = router_url, urls
        self.router = stack.enter_context(psycopg.connect(router_url, autocommit=True))
        self.nodes = {name: stack.enter_context(psycopg.connect(url, autocommit=True)) for name, url in urls.items()}
        self.router.execute("CREATE SCHEMA lead_protection_router")
        for name in ROUTER:
            self.router.execute((PROJECT / "sql" / "router" / f"{name}.sql").read_text(encoding="utf-8"))
        self.router.execute(AGREEMENT)
        for number, name in enumerate(urls):
            self.router.execute(
                "INSERT INTO lead_protection_router.nodes VALUES (%s, %s, %s)", [name, number, urls[name]]
            )
            if number:
                self.nodes[name].execute("SELECT lead_protection.number_node(%s)", [number])
        self.router.execute(
            "INSERT INTO lead_protection_router.slots SELECT n, %s FROM generate_series(0, 63) AS n", [next(iter(urls))]
        )

    def __getitem__(self, name: str) -> psycopg.Connection:
        return self.nodes[name]

    def where_is(self, lead_id: int) -> str:
        """The node to which the router sends a call."""
        return self.router.execute(WHERE_IS, [lead_id]).fetchone()[0]

    def slot_of(self, lead_id: int) -> int:
        """The slot of a lead."""
        return self.router.execute("SELECT lead_protection_router.slot_of(%s)", [lead_id]).fetchone()[0]

    def owners(self) -> dict[int, list[str]]:
        """On which nodes each lead is."""
        found: dict[int, list[str]] = {}
        for name, node in self.nodes.items():
            for (lead_id,) in node.execute("SELECT id FROM lead_protection.leads"):
                found.setdefault(lead_id, []).append(name)
        return found

    def on_its_way(self) -> int:
        """How many copies of departed leads are not confirmed."""
        return sum(
            node.execute("SELECT count(*) FROM lead_protection.lead_moves WHERE packed IS NOT NULL").fetchone()[0]
            for node in self.nodes.values()
        )


class Caller:
    """Calls functions about a lead where the router says, as PL/Proxy does: again elsewhere if it has moved."""

    def __init__(self, nodes: Nodes, stack: ExitStack):
        self.router = stack.enter_context(psycopg.connect(nodes.router_url, autocommit=True))
        self.nodes = {
            name: stack.enter_context(psycopg.connect(url, autocommit=True)) for name, url in nodes.urls.items()
        }
        self.again = 0

    def call(self, lead_id: int, query: str, parameters: Sequence[Any], patience: float = 30) -> Any:
        """Return the rows of a query on the node of a lead."""
        until = time.monotonic() + patience
        while True:
            name = self.router.execute(WHERE_IS, [lead_id]).fetchone()[0]
            try:
                return self.nodes[name].execute(query, parameters).fetchall()
            except psycopg.Error as error:
                if error.sqlstate != "LP135" or time.monotonic() > until:
                    raise
                self.again += 1
                time.sleep(0.002)


@contextmanager
def cluster(new_database: Callable, server: Server, templates: dict[str, str]) -> Iterator[Nodes]:
    """Yield a router over nodes that are clones of templates, with the terms and the slots of the first."""
    with ExitStack() as stack:
        urls = {name: server.url(stack.enter_context(new_database(of))) for name, of in templates.items()}
        connections = stack.enter_context(ExitStack())
        nodes = Nodes(urls, server.url(stack.enter_context(new_database())), connections)
        first, *others = nodes.nodes.values()
        for other in others:
            (terms,) = first.execute("SELECT lead_protection.terms_of_node()::text").fetchone()
            other.execute("SELECT lead_protection.take_terms_of_node(%s)", [terms])
        yield nodes
