"""Fixtures: one private PostgreSQL a session, a database as freshly applied for each test.

Everything is applied once, through the command line, into a template. Each test has a clone of it for itself: the one
that the test before had, cleaned, if that left our definitions as they were (see SharedDatabase).
pg_cron lives in the database `postgres`, apart from the tests' databases, which come and go.
"""

import os
import random
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg.types.datetime import TimestamptzLoader
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

import helpers.project
from helpers.guards import faults_in_guards
from helpers.log_form import problems_of_log
from helpers.project import PROJECT, poll, run_program
from helpers.schemas import faults_in_outbox
from helpers.server import PRIVATE_POSTGRES, Server, databases, server_directory, start_server
from helpers.shared_database import SharedDatabase

# What the developer's shell has set for some other server must not lead a test there.
for name in [name for name in os.environ if name.startswith("PG") and name != "PG_BIN"]:
    del os.environ[name]
os.environ.pop("LEAD_PROTECTION_DATABASE_URL", None)


class InUtc(TimestamptzLoader):
    """An instant without the session's zone: Python counts hours between two that share a zone on the wall clock."""

    def load(self, data: psycopg.abc.Buffer) -> datetime:
        """Load it."""
        return super().load(data).astimezone(UTC)


psycopg.adapters.register_loader("timestamptz", InUtc)

# Who terminates the tests gets no servers left behind: it ends them like Ctrl-C.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --fast: what a developer runs after each change; and --thorough: what runs at night."""
    parser.addoption("--fast", action="store_true", help="leave out the slow tests, and draw fewest random cases")
    parser.addoption(
        "--thorough", action="store_true", help="run also what is left to the night, with all random cases"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell the modules of tests, which are read after this; the processes of xdist have the seed from here, too."""
    helpers.project.FAST = config.getoption("--fast")
    helpers.project.THOROUGH = config.getoption("--thorough")
    # By day a change is judged by the cases of the day before; the search for new ones is the night's.
    drawn = random.randrange(2**32) if helpers.project.THOROUGH else 1
    os.environ.setdefault(helpers.project.SEED_VARIABLE, str(drawn))


def pytest_report_header() -> list[str]:
    """Print what draws the same random cases again, and on what they are tried."""
    programs = run_program([str(PRIVATE_POSTGRES), "bin"]).stdout.strip()
    version = run_program([f"{programs}/postgres", "--version"]).stdout.strip() if programs else "no PostgreSQL"
    return [f"random cases: {helpers.project.SEED_VARIABLE}={helpers.project.seed()}", version]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the slow tests out of a fast run, and those of the night out of any but a thorough one; each says why."""
    left_out = set()
    for item in items:
        slow, at_night = item.get_closest_marker("slow"), item.get_closest_marker("thorough")
        if (slow and not slow.args) or (at_night and not at_night.args):
            raise pytest.UsageError(f"marked slow or thorough without a reason: {item.nodeid}")
        if at_night and (faults := faults_in_guards(at_night.kwargs)):
            raise pytest.UsageError(f"{item.nodeid} is thorough, but who guards by day? {faults}")
        if (slow and config.getoption("--fast")) or (at_night and not config.getoption("--thorough")):
            left_out.add(item)
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    # What prepares much for several tests begins first, and stays in one process, where that is made once: one that has
    # done its share takes over from the end of another's.
    first = PROJECT / "tests" / "install", PROJECT / "tests" / "catalog" / "test_plans.py"
    items.sort(key=lambda item: not any(map(item.path.is_relative_to, first)))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The private PostgreSQL of this session, deleted at its end."""
    with server_directory() as directory:
        server = start_server(directory)
        # A test that waits for a lock which nobody will give back, or runs in a circle, must fail, not hang.
        server.execute("ALTER SYSTEM SET lock_timeout = '30s'")
        server.execute("ALTER SYSTEM SET statement_timeout = '300s'")
        # The planner thinks that a first look at empty tables is dear and compiles it, which takes longer than looking.
        # What compiled queries answer is in test_session_settings.
        server.execute("ALTER SYSTEM SET jit = off")
        server.execute("SELECT pg_reload_conf()")
        yield server


def apply(*, host: str, user: str, dbname: str, **_: object) -> None:
    """Apply everything through the command line, in a process, as a DBA does; a loader of pytest-postgresql."""
    url = Server(host=host, user=user, bin=Path()).url(dbname)
    done = run_program([sys.executable, "-m", "lead_protection", "apply", "--database", url], cwd=PROJECT)
    if done.returncode != 0:
        raise RuntimeError(f"apply exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    # The first session of a database writes a cache of the catalog, which the clones then have, too.
    psycopg.connect(url).close()


postgresql_noproc = factories.postgresql_noproc(depends_on="server", dbname="test", load=[apply])


@pytest.fixture(scope="session")
def template(postgresql_noproc: NoopExecutor) -> str:
    """The database that those of the tests are clones of; pytest-postgresql makes it and drops it."""
    return postgresql_noproc.template_dbname


@pytest.fixture(scope="session")
def new_database(server: Server) -> Iterator[Callable]:
    """See `databases`."""
    with databases(server) as make:
        yield make


@pytest.fixture(scope="session")
def sample_template(new_database: Callable, template: str, server: Server) -> Iterator[str]:
    """A database like the template, with the demo's sample in it."""
    with new_database(template) as name:
        server.load_sample(name)
        yield name


@pytest.fixture(scope="session")
def shared_databases(new_database: Callable, server: Server) -> Iterator[Callable[[str], SharedDatabase]]:
    """Return a function that gives the database in which the tests of a template work, one after the other."""

    @cache
    def of_template(template: str) -> SharedDatabase:
        return stack.enter_context(SharedDatabase(new_database, server, template))

    with ExitStack() as stack:
        yield of_template


@pytest.fixture
def db(shared_databases: Callable, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """A superuser's connection, autocommit, to a database of this test alone, as freshly applied.

    Every event that the test emitted must keep to the JSON Schema of its type, and the log must prove itself.
    """
    wanted = "sample_template" if "sample" in request.fixturenames else "template"
    shared = shared_databases(request.getfixturevalue(wanted))
    yield shared.take()
    try:
        connection = shared.settle()
        if not request.node.get_closest_marker("made_up_events"):
            assert faults_in_outbox(connection) == []
        if not request.node.get_closest_marker("made_up_log"):
            made_up = {"EVENT_WITHOUT_ROW"} if request.node.get_closest_marker("made_up_events") else set()
            assert [problem for problem in problems_of_log(connection) if problem[2] not in made_up] == []
    finally:
        shared.give_back()


@pytest.fixture
def database_url(db: psycopg.Connection, server: Server) -> str:
    """The URL of this test's own, freshly applied database: the one `db` is connected to."""
    return server.url(db.info.dbname)


@pytest.fixture
def empty_database_url(new_database: Callable, server: Server) -> Iterator[str]:
    """The URL of a new, empty database."""
    with new_database() as name:
        yield server.url(name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package that a test may spoil."""
    for name in ("lead_protection", "migrations", "sql", "docs"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture(scope="session")
def catalog(server):
    """Return a function that gives the whole definition of the schema in a database, rights included."""

    def dump(url: str) -> str:
        command = [str(server.bin / "pg_dump"), "--schema-only", "--schema=lead_protection", url]
        done = run_program(command, env=os.environ | {"LC_ALL": "C"})
        if "no matching schemas" in done.stderr:
            return ""
        assert done.returncode == 0, done.stderr
        return re.sub(r"(?m)^\\(un)?restrict .*\n", "", done.stdout)

    return dump


@pytest.fixture(scope="session")
def fresh_catalog(catalog: Callable[[str], str], server: Server, template: str) -> str:
    """The definition of the schema as freshly applied, which is that of each test's database until the test begins."""
    return catalog(server.url(template))


@pytest.fixture
def connect(database_url: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """Return a function that gives one more connection to this test's database; all are closed afterwards.

    Its keywords are those of psycopg.connect; autocommit is on unless told otherwise.
    """
    connections = []

    def connect_once_more(**keywords) -> psycopg.Connection:
        connections.append(psycopg.connect(database_url, **({"autocommit": True} | keywords)))
        return connections[-1]

    yield connect_once_more
    for connection in connections:
        connection.close()


@pytest.fixture
def two(connect) -> tuple[psycopg.Connection, psycopg.Connection]:
    """Two sessions: one whose work is committed by hand, one with autocommit."""
    return connect(autocommit=False), connect()


@pytest.fixture
def unchecked(db: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A connection in a transaction that is rolled back, where leads and activities may lie in the future."""
    with db.transaction(force_rollback=True):
        db.execute("ALTER TABLE lead_protection.leads DISABLE TRIGGER check_lead")
        db.execute("ALTER TABLE lead_protection.lead_activities DISABLE TRIGGER check_activity")
        yield db


@pytest.fixture
def sample(db: psycopg.Connection) -> psycopg.Connection:
    """This test's database, which has the demo's sample in it: `db` sees to that."""
    return db


@pytest.fixture
def cron(server: Server) -> Iterator[psycopg.Connection]:
    """A connection, autocommit, to the database that pg_cron lives in; no job outlives the test.

    Without pg_cron the test is skipped, except on a CI machine, which must have it.
    """
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_cron'").fetchone():
            (pytest.fail if os.environ.get("CI") else pytest.skip)("pg_cron is not installed")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_cron")
        yield connection
        connection.execute("SELECT cron.unschedule(jobid) FROM cron.job")


@pytest.fixture
def wait_until() -> Callable:
    """`wait_until(condition, timeout=10, what=None)`: see `poll`."""
    return poll
