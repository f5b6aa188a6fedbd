"""The script that makes the private PostgreSQL of the demo, the tests and lint."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from helpers.project import cases
from helpers.server import PRIVATE_POSTGRES, postmaster, private_postgres


@pytest.mark.slow("a server of its own")
def test_start_takes_no_server_that_is_being_killed_for_one_that_runs():
    directory = tempfile.mkdtemp(prefix="lead-protection-")
    try:
        private_postgres("start", "--fast", directory)
        url = private_postgres("url", directory)
        with psycopg.connect(url) as db:
            ((data,),) = db.execute("SHOW data_directory")
        server = postmaster(Path(data).parent)
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


@pytest.mark.slow("a server of its own")
def test_start_does_not_believe_what_is_not_there(monkeypatch):
    """pg_ctl says that the server has started, as by what a killed one left, and there is none."""
    real = Path(private_postgres("bin"))
    directory = tempfile.mkdtemp(prefix="lead-protection-")
    programs = Path(tempfile.mkdtemp(prefix="lead-protection-bin-"))
    try:
        programs.chmod(0o777)
        for program in real.iterdir():
            if program.name != "pg_ctl":
                (programs / program.name).symlink_to(program)
        # Whoever starts it, root lends it to another account.
        (programs / "pg_ctl").write_text(
            "#!/bin/sh\n"
            f'case "$*" in *start*) if ! [ -e {programs}/lied ]; then touch {programs}/lied; exit 0; fi ;; esac\n'
            f'exec {real}/pg_ctl "$@"\n'
        )
        (programs / "pg_ctl").chmod(0o755)
        monkeypatch.setenv("PG_BIN", str(programs))
        private_postgres("start", "--fast", directory)
        assert (programs / "lied").exists()
        with psycopg.connect(private_postgres("url", directory)) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    finally:
        private_postgres("stop", "--remove", directory)
        shutil.rmtree(programs)


@pytest.mark.slow("a server of its own is killed and started over and over")
def test_start_right_after_a_kill_gives_a_server_that_answers():
    """While sessions are at work, which go one after the other; each start says the truth."""
    directory = tempfile.mkdtemp(prefix="lead-protection-")
    try:
        private_postgres("start", "--fast", directory)
        url = private_postgres("url", directory)
        for _ in range(cases(30, usual=2, fast=1)):
            with psycopg.connect(url, autocommit=True) as db:
                ((data,),) = db.execute("SHOW data_directory")
                busy = [psycopg.connect(url, autocommit=True) for _ in range(5)]
                for session in busy:
                    session.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000)")
                os.kill(postmaster(Path(data).parent), signal.SIGKILL)
                private_postgres("start", "--fast", directory)
                with psycopg.connect(url) as again:
                    assert again.execute("SELECT 1").fetchone() == (1,)
                for session in busy:
                    session.close()
    finally:
        private_postgres("stop", "--remove", directory)
