"""The script that makes the private PostgreSQL of the demo, the tests and lint."""

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from helpers.server import PRIVATE_POSTGRES, private_postgres


@pytest.mark.slow("a server of its own")
def test_start_takes_no_server_that_is_being_killed_for_one_that_runs():
    directory = tempfile.mkdtemp(prefix="lead-protection-")
    try:
        private_postgres("start", "--fast", directory)
        url = private_postgres("url", directory)
        with psycopg.connect(url) as db:
            ((data,),) = db.execute("SHOW data_directory")
        server = int((Path(data) / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGSTOP)  # there is a process, and it answers no more
        starting = subprocess.Popen([PRIVATE_POSTGRES, "start", "--fast", directory], stdout=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            starting.wait(1)
        os.kill(server, signal.SIGKILL)
        assert starting.wait(60) == 0
        with psycopg.connect(url) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    finally:
        private_postgres("stop", "--remove", directory)
