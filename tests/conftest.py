"""Fixtures: one private PostgreSQL a session, one freshly applied database a test.

Everything is applied once, through the command line, into a template; each test works in its own clone.
pg_cron lives in the database `postgres`, apart from the tests' databases, which come and go.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pytest_postgresql import factories

PROJECT = Path(__file__).resolve().parent.parent
PRIVATE_POSTGRES = PROJECT / "scripts" / "private-postgres"

# What the developer's shell has set for some other server must not lead a test there.
for name in [name for name in os.environ if name.startswith("PG") and name != "PG_BIN"]:
    del os.environ[name]
os.environ.pop("LEAD_PROTECTION_DATABASE_URL", None)


def run(command: list[str], **keywords) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; keywords as for subprocess.run. Its output is text, in the result."""
    return subprocess.run(command, capture_output=True, text=True, **({"input": ""} | keywords))


@dataclass(frozen=True)
class Server:
    """A running private PostgreSQL; the fields that pytest-postgresql asks of a server, and a few helpers."""

    host: str
    bin: Path
    port: int = 5432
    user: str = "postgres"
    password: None = None
    options: str = ""
    maintenance_dbname: str = "postgres"
    template_dbname: None = None

    def url(self, dbname: str = "postgres") -> str:
        """Return the libpq URL of a database."""
        return f"postgresql://{self.user}@/{quote(dbname, safe='')}?host={quote(self.host)}"

    @property
    def env(self) -> dict[str, str]:
        """The environment in which psql and other libpq programs find this server."""
        return os.environ | {
            "PGHOST": self.host,
            "PGUSER": self.user,
            "PGDATABASE": "postgres",
            "PATH": f"{self.bin}:{os.environ['PATH']}",
        }

    def psql(self, *args: str, dbname: str = "postgres", stdin: str | None = None, check: bool = True):
        """Run the real psql, which stops at the first error.

        One argument that is no option is SQL for `-c`; more are passed on as they are; `stdin` is a script.
        Returns the CompletedProcess, output as text (unaligned, tuples only); with `check`, an error of psql
        fails the test and shows its stderr.
        """
        if len(args) == 1 and not args[0].startswith("-"):
            args = ("-c", args[0])
        command = [str(self.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *args, self.url(dbname)]
        done = run(command, input=stdin or "", env=self.env, timeout=120)
        if check and done.returncode != 0:
            pytest.fail(f"psql exited with {done.returncode}:\n{done.stderr}")
        return done

    def execute(self, query: str | sql.Composed, dbname: str = "postgres") -> None:
        """Execute one statement outside a transaction, as CREATE DATABASE wants it."""
        with psycopg.connect(self.url(dbname), autocommit=True) as connection:
            connection.execute(query)


def private_postgres(*args: str) -> str:
    """Run scripts/private-postgres and return its output; its own words are the error."""
    done = run([str(PRIVATE_POSTGRES), *args])
    if done.returncode != 0:
        raise RuntimeError(f"private-postgres {' '.join(args)}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The private PostgreSQL of this session, deleted at its end."""
    # Not pytest's tmp_path: as root the server runs as `postgres`, which cannot enter that.
    directory = tempfile.mkdtemp(prefix="lead-protection-")
    try:
        private_postgres("start", "--fast", directory)
        with psycopg.connect(private_postgres("url", directory)) as connection:
            host = connection.info.host
        server = Server(host=host, bin=Path(private_postgres("bin", directory)))
        # A test that waits for a lock which nobody will give back, or runs in a circle, must fail, not hang.
        server.execute("ALTER SYSTEM SET lock_timeout = '30s'")
        server.execute("ALTER SYSTEM SET statement_timeout = '300s'")
        server.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        private_postgres("stop", "--remove", directory)


def apply(*, host: str, user: str, dbname: str, **_: object) -> None:
    """Apply migrations and sql/ through the command line, as a DBA does; a loader of pytest-postgresql."""
    url = Server(host=host, user=user, bin=Path()).url(dbname)
    done = run([sys.executable, "-m", "lead_protection", "apply", "--database", url], cwd=PROJECT)
    if done.returncode != 0:
        raise RuntimeError(f"apply exited with {done.returncode}:\n{done.stdout}{done.stderr}")


postgresql_noproc = factories.postgresql_noproc(depends_on="server", dbname="test", load=[apply])
postgresql = factories.postgresql("postgresql_noproc")


@pytest.fixture
def db(postgresql: psycopg.Connection, server: Server, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """A superuser's connection, autocommit, to this test's own, freshly applied database.

    Every event that the test emitted must keep to the JSON Schema of its type.
    """
    from schemas import faults_in_outbox

    postgresql.autocommit = True
    yield postgresql
    if not request.node.get_closest_marker("made_up_events"):
        # On a connection of its own: the test may have left its own in any state.
        with psycopg.connect(server.url(postgresql.info.dbname), autocommit=True) as connection:
            assert faults_in_outbox(connection) == []


@pytest.fixture
def database_url(db: psycopg.Connection, server: Server) -> str:
    """The URL of this test's own, freshly applied database: the one `db` is connected to."""
    return server.url(db.info.dbname)


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """The URL of a new, empty database."""
    dbname = f"empty_{uuid4().hex}"
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
    yield server.url(dbname)
    server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(dbname)))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package that a test may spoil."""
    for name in ("lead_protection", "migrations", "sql", "docs"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def catalog(server):
    """Return a function that gives the whole definition of the schema in a database, rights included."""

    def dump(url: str) -> str:
        command = [str(server.bin / "pg_dump"), "--schema-only", "--schema=lead_protection", url]
        done = run(command)
        if "no matching schemas" in done.stderr:
            return ""
        assert done.returncode == 0, done.stderr
        return re.sub(r"(?m)^\\(un)?restrict .*\n", "", done.stdout)

    return dump


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


def poll(condition: Callable[[], object], *, timeout: float = 10, what: str | None = None):
    """Call `condition` until it returns something true, and return that.

    After `timeout` seconds the test fails; `what` says in the message what was waited for.
    """
    limit = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > limit:
            what = what or getattr(condition, "__name__", condition)
            pytest.fail(f"after {timeout} s still not true: {what}; last result {result!r}")
        time.sleep(0.05)
    return result


@pytest.fixture
def wait_until() -> Callable:
    """`wait_until(condition, timeout=10, what=None)`: see `poll`."""
    return poll
