"""A router and its nodes: databases of one server, each a whole installation."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import psycopg

from helpers.command_line import run_cli
from helpers.debian_tools import unpacked
from helpers.server import Server

# Two databases are asked one after the other: open holds go on, and what is decided now is decided later.
APART = timedelta(minutes=2)


def run(*args: str, url: str) -> str:
    """Run lead-protection, and return what it printed."""
    status, output = run_cli(*args, "--database", url)
    if status != 0:
        raise RuntimeError(f"{' '.join(args)}:\n{output}")
    return output


def command(*args: str, url: str) -> str:
    """Run lead-protection router, and return what it printed."""
    return run("router", *args, url=url)


class Routed:
    """A router with its nodes, and beside them one database that is asked the same."""

    def __init__(self, server: Server, databases: dict[str, str], router: str, alone: str):
        """Connect to all, as a superuser."""
        self.server = server
        self.databases = databases
        self.dbname = router
        self.url = server.url(router)
        self.nodes: dict[str, psycopg.Connection] = {}
        for name, dbname in databases.items():
            self.add(name, dbname)
        self.router = psycopg.connect(self.url, autocommit=True)
        self.alone = psycopg.connect(server.url(alone), autocommit=True)

        # A number of a lead or a hold must not be taken for one of something else.
        self.router.execute("SELECT setval('lead_protection_router.lead_ids', 7000000000)")
        for db in (self.alone, self.nodes["n0"]):
            db.execute("SELECT setval('lead_protection.leads_id_seq', 8000000000)")
            db.execute("SELECT setval('lead_protection.lead_holds_id_seq', 9000000000)")

    def add(self, name: str, dbname: str) -> None:
        """Add a node, by the command."""
        command("add-node", name, f"host={self.server.host} user=postgres dbname={dbname}", url=self.url)
        self.nodes[name] = psycopg.connect(self.server.url(dbname), autocommit=True)

    def close(self) -> None:
        """Close all connections."""
        for connection in (self.router, self.alone, *self.nodes.values()):
            connection.close()

    def node_of(self, lead_id: int) -> psycopg.Connection:
        """The node that has a lead."""
        return self.nodes[self.name_of(lead_id)]

    def name_of(self, lead_id: int) -> str:
        """The name of the node that has a lead."""
        ((name,),) = self.router.execute("SELECT lead_protection_router.node_of(%s)", [lead_id]).fetchall()
        return name


@contextmanager
def routed(server: Server, new_database: Callable, template: str, number: int = 4) -> Iterator[Routed]:
    """A router with nodes as freshly applied."""
    unpacked("router")
    with ExitStack() as stack:
        names = [f"n{nth}" for nth in range(number)]
        databases = {name: stack.enter_context(new_database(template)) for name in names}
        alone, router = stack.enter_context(new_database(template)), stack.enter_context(new_database())
        made = Routed(server, databases, router, alone)
        stack.callback(made.close)
        yield made


def alike(one: object, other: object) -> bool:
    """Whether two answers say the same: the same values, and instants of the same moment."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs(one - other) < APART
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other
