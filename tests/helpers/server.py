"""A running private PostgreSQL, and the script that makes them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from helpers.project import PROJECT, poll, run_program

PRIVATE_POSTGRES = PROJECT / "scripts" / "private-postgres"

MEMORY, ROOM = Path("/dev/shm"), 4 * 1024**3


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

    def load_sample(self, dbname: str) -> None:
        """Load what the demo loads: FreshFoodz' reasons, and its leads."""
        files = [PROJECT / "examples" / "freshfoodz.sql", PROJECT / "demo" / "sample.sql"]
        self.psql("--single-transaction", *(f"--file={file}" for file in files), dbname=dbname)

    def psql(self, *args: str, dbname: str = "postgres", stdin: str | None = None, check: bool = True):
        """Run the real psql, which stops at the first error.

        One argument that is no option is SQL for `-c`; more are passed on as they are; `stdin` is a script.
        Returns the CompletedProcess, output as text (unaligned, tuples only); with `check`, an error of psql
        fails the test and shows its stderr.
        """
        if len(args) == 1 and not args[0].startswith("-"):
            args = ("-c", args[0])
        command = [str(self.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *args, self.url(dbname)]
        done = run_program(command, input=stdin or "", env=self.env, timeout=120)
        if check and done.returncode != 0:
            pytest.fail(f"psql exited with {done.returncode}:\n{done.stderr}")
        return done

    def execute(self, query: str | sql.Composed, dbname: str = "postgres") -> None:
        """Execute one statement outside a transaction, as CREATE DATABASE wants it."""
        with psycopg.connect(self.url(dbname), autocommit=True) as connection:
            connection.execute(query)


def private_postgres(*args: str) -> str:
    """Run scripts/private-postgres and return its output; its own words are the error."""
    done = run_program([str(PRIVATE_POSTGRES), *args])
    if done.returncode != 0:
        raise RuntimeError(f"private-postgres {' '.join(args)}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def home_of(directory: str) -> Path:
    """Where the cluster of a directory is."""
    elsewhere = Path(directory, "elsewhere")
    return Path(elsewhere.read_text().strip() if elsewhere.exists() else directory)


def postmaster(home: Path) -> int:
    """The process to kill, for a crash of the cluster that is there."""
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def start_again(start: Callable[[], None]) -> None:
    """Start a server that died, as soon as the last of its old processes has gone."""

    def starts() -> bool:
        try:
            start()
        except RuntimeError:
            return False
        return True

    poll(starts, timeout=60, what="PostgreSQL starts again")


def start_server(directory: str) -> Server:
    """Start the private PostgreSQL of a directory, which need not survive a crash of the machine."""
    private_postgres("start", "--fast", directory)
    host = str(psycopg.conninfo.conninfo_to_dict(private_postgres("url", directory))["host"])
    return Server(host=host, bin=Path(private_postgres("bin", directory)))


@contextmanager
def databases(server: Server, name: str = "test") -> Iterator[Callable]:
    """Yield a context manager that makes a database, a clone of the template given or an empty one, and drops it."""
    numbers = count(1)
    with psycopg.connect(server.url(), autocommit=True) as connection:

        @contextmanager
        def make(template: str = "template1") -> Iterator[str]:
            made = f"{name}_{next(numbers)}"
            # As files: not through the log, which takes longer.
            connection.execute(f"CREATE DATABASE {made} TEMPLATE {template} STRATEGY FILE_COPY")
            try:
                yield made
            finally:
                connection.execute(f"DROP DATABASE {made} WITH (FORCE)")

        yield make


@contextmanager
def server_directory() -> Iterator[str]:
    """A directory for a private PostgreSQL, which is stopped and deleted at the end.

    It is in memory where there is room: to make a database, which nearly every test does, then costs a seventh. It is
    not pytest's tmp_path: as root the server runs as `postgres`, which cannot enter that.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    directory = tempfile.mkdtemp(prefix="lead-protection-", dir=MEMORY if in_memory else None)
    try:
        yield directory
    finally:
        private_postgres("stop", "--remove", directory)
