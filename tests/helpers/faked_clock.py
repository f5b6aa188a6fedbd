"""A private PostgreSQL whose clock stands where a test sets it, by Debian's libfaketime."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from helpers.debian_tools import unpacked
from helpers.project import run_program
from helpers.server import (
    PRIVATE_POSTGRES,
    Server,
    home_of,
    postmaster,
    private_postgres,
    server_directory,
    start_again,
)  # fmt: skip

# What is committed must outlive the kill; each step of the clock is an hour or more.
SETTINGS = ("synchronous_commit = on", "jit = off", "checkpoint_timeout = '1d'", "log_min_messages = fatal")


class FakedServer:
    """It takes the time from a file anew whenever it asks for it, and the clock stands still in between.

    So all that a call writes bears the very instant that was set. Time is only faked for the server: psycopg, and what
    waits, has the true one. Waiting by the wall clock, as pg_sleep() does, never ends there.
    """

    def __init__(self, directory: str, clock: Path, now: datetime):
        self.directory, self.file = directory, clock / "now"
        self.set(now)
        self.env = os.environ | {
            "LD_PRELOAD": str(shutil.copy(library(), clock)),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }
        self.start()
        host = str(psycopg.conninfo.conninfo_to_dict(private_postgres("url", directory))["host"])
        self.server = Server(host=host, bin=Path(private_postgres("bin", directory)))
        for setting in SETTINGS:
            self.server.execute(f"ALTER SYSTEM SET {setting}")
        self.server.execute("SELECT pg_reload_conf()")

    def set(self, now: datetime) -> None:
        """Set the clock, to whole seconds."""
        new = self.file.with_suffix(".new")
        new.write_text(now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S\n"))
        new.rename(self.file)

    def start(self) -> None:
        """Start the server, or wait for the one that starts."""
        # The script counts its seconds by the clock that stands still.
        done = run_program([str(PRIVATE_POSTGRES), "start", "--fast", self.directory], env=self.env, timeout=180)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

    def kill(self) -> None:
        """Kill the postmaster; its children notice and go."""
        os.kill(postmaster(home_of(self.directory)), signal.SIGKILL)

    def recover(self) -> None:
        """Start it again, as soon as the last of the old processes has gone."""
        start_again(self.start)


def library() -> Path:
    """libfaketime, as Debian ships it."""
    for usr in (unpacked("clock"), Path("/usr")):
        for found in usr.glob("lib/*/faketime/libfaketime.so.1"):
            return found
    pytest.skip("libfaketime is not there")


@contextmanager
def faked_server(now: datetime) -> Iterator[FakedServer]:
    """A server for one test, whose clock stands at `now`; it is deleted at the end."""
    with server_directory() as directory, tempfile.TemporaryDirectory(prefix="lead-protection-clock-") as clock:
        # The account of the server reads both files.
        Path(clock).chmod(0o755)
        yield FakedServer(directory, Path(clock), now)
