"""Fixtures: one private PostgreSQL a session, one freshly applied database a test.

Everything is applied once, through the command line, into a template; each test works in its own clone.
pg_cron lives in the database `postgres`, apart from the tests' databases, which come and go.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pytest_postgresql import factories

from helpers.project import PROJECT, poll, run_program
from helpers.schemas import faults_in_outbox
from helpers.server import Server, private_postgres

# What the developer's shell has set for some other server must not lead a test there.
for name in [name for name in os.environ if name.startswith("PG") and name != "PG_BIN"]:
    del os.environ[name]
os.environ.pop("LEAD_PROTECTION_DATABASE_URL", None)


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
    done = run_program([sys.executable, "-m", "lead_protection", "apply", "--database", url], cwd=PROJECT)
    if done.returncode != 0:
        raise RuntimeError(f"apply exited with {done.returncode}:\n{done.stdout}{done.stderr}")


postgresql_noproc = factories.postgresql_noproc(depends_on="server", dbname="test", load=[apply])
postgresql = factories.postgresql("postgresql_noproc")


@pytest.fixture
def db(postgresql: psycopg.Connection, server: Server, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """A superuser's connection, autocommit, to this test's own, freshly applied database.

    Every event that the test emitted must keep to the JSON Schema of its type.
    """
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
        done = run_program(command)
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
def sample(db: psycopg.Connection, server: Server) -> psycopg.Connection:
    """This test's database with the demo's sample in it."""
    server.psql("--single-transaction", "--file", str(PROJECT / "demo" / "sample.sql"), dbname=db.info.dbname)
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
