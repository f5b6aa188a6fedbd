"""Timeouts at random, and a disk that is full: a clear error, nothing half done, and the next run heals."""

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age
from helpers.jobs import run_nightly, run_pipeline
from helpers.killing import broken
from helpers.load import Load
from helpers.project import cases, left_to, poll, seed
from helpers.server import private_postgres, start_again
from helpers.standby import Cluster

pytestmark = pytest.mark.slow("calls that are cut short over and over, and a disk that is filled")

LEADS = 60
CUT_SHORT = {"57014", "55P03", "25P02"}  # a statement, a lock


def fill(db) -> None:
    """Leads of all ages."""
    for lead_id in range(1, LEADS + 1):
        insert_lead_of_age(db, lead_id, (PROTECTED, REMINDER_DUE, EXPIRED)[lead_id % 3])


def settled(db) -> dict[str, int]:
    """What there is in the end, however many runs it took."""
    found = db.execute(
        "SELECT 'reminders', count(*) FROM lead_protection.lead_reminders"
        " UNION ALL SELECT 'expiries', count(*) FROM lead_protection.lead_expiries WHERE reactivated_at IS NULL"
        " UNION ALL SELECT 'holds', count(*) FROM lead_protection.lead_holds WHERE end_at IS NULL"
        " UNION ALL SELECT 'running', count(*) FROM lead_protection.job_runs WHERE outcome = 'running'"
    ).fetchall()
    return dict(found)


def test_timeouts_at_random_leave_nothing_half_done(db, connect):
    fill(db)
    chance = random.Random(seed())
    session = connect()
    cut = done = 0
    for number in range(1000):
        # Where the machine is busy, a few calls may all be cut short.
        if number >= cases(400, usual=80, fast=20) and cut and done:
            break
        limit = chance.choice([1, 2, 5, 10, 20, 50])
        lead_id = 3 * chance.randrange(1, LEADS // 3)
        call = chance.choice(
            [
                "CALL lead_protection.run_protection_pipeline(batch_size => 5)",
                "CALL lead_protection.run_nightly_maintenance()",
                f"SELECT lead_protection.create_lead_hold({lead_id}, 7, 'x', 1)",
                f"SELECT lead_protection.hold_leads('key {number}', 'x', 1, ARRAY[{lead_id}, 3, 6])",
                f"SELECT lead_protection.protect_lead(7, 1, 'key {number}', lead_id => {1000 + number})",
            ]
        )
        try:
            # To set it takes time, too: that of the one before.
            session.execute(f"SET statement_timeout = {limit}")
            session.execute(call)
            done += 1
        except psycopg.Error as error:
            assert error.sqlstate in CUT_SHORT, error
            cut += 1
    assert cut > 0 and done > 0
    assert broken(db) == {}
    run_pipeline(db)
    run_nightly(db)
    found = settled(db)
    assert found["reminders"] == found["expiries"] == LEADS // 3
    assert found["running"] == 0 and broken(db) == {}


@contextmanager
def mounted(place: Path, size: str) -> Iterator[None]:
    """A small file system, until the end of the block."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        place.rmdir()
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def fill_up(filler: Path) -> None:
    """Leave no room in its file system."""
    with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 65536)
            file.flush()


@pytest.fixture
def small_disk(server, template) -> Iterator[tuple[psycopg.Connection, Path]]:
    """A database on a file system of 60 MB, with the file that fills it."""
    place = Path(server.host).parent / "small"
    with mounted(place, "60m"):
        (place / "data").mkdir()
        shutil.chown(place / "data", "postgres")
        try:
            server.execute(f"CREATE TABLESPACE small LOCATION '{place / 'data'}'")
            server.execute(f"CREATE DATABASE small TEMPLATE {template} TABLESPACE small STRATEGY FILE_COPY")
            with psycopg.connect(server.url("small"), autocommit=True) as db:
                yield db, place / "filler"
        finally:
            server.execute("DROP DATABASE IF EXISTS small WITH (FORCE)")
            server.execute("DROP TABLESPACE IF EXISTS small")


def test_a_disk_that_is_full_is_told_and_the_next_run_heals(small_disk):
    db, filler = small_disk
    fill(db)
    # Many to remind, who need room, and no room at all.
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n, n, now() - INTERVAL '249 days', now() FROM generate_series(1001, 4000) AS n"
    )
    db.execute("CHECKPOINT")
    fill_up(filler)
    with pytest.raises(psycopg.errors.DiskFull):
        db.execute("CALL lead_protection.run_protection_pipeline()")
    with pytest.raises(psycopg.errors.DiskFull):
        db.execute(
            "INSERT INTO lead_protection.leads (id, user_id) SELECT n, 7 FROM generate_series(10001, 30000) AS n"
        )
    assert broken(db) == {}

    filler.unlink()
    run_pipeline(db)
    assert settled(db)["reminders"] == LEADS // 3 + 3000
    assert broken(db) == {}
    (status,) = db.execute("SELECT status FROM lead_protection.health WHERE check_name = 'job_failed'").fetchone()
    assert status == "ok"


@pytest.fixture
def on_a_small_disk() -> Iterator[tuple[Cluster, Path]]:
    """A server all of which, its write-ahead log too, is on a file system of 300 MB, with the file that fills it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="lead-protection-") as made:
        Path(made).chmod(0o755)
        place = Path(made, "small")
        with mounted(place, "300m"):
            directory = str(place / "server")
            try:
                yield Cluster(directory), place / "filler"
            finally:
                private_postgres("stop", "--remove", directory)


@left_to("moved-house")
def test_a_server_that_stops_for_want_of_room_has_all_that_was_committed(on_a_small_disk):
    """Where no log can be written, PostgreSQL itself goes down, under calls and jobs; with room it starts again."""
    cluster, filler = on_a_small_disk
    run_ok("apply", "--database", cluster.url())
    committed: list[int] = []
    next_lead = iter(range(1000, 10**9))

    def bring_leads(db: psycopg.Connection) -> None:
        lead_id = next(next_lead)
        insert_lead_of_age(db, lead_id, REMINDER_DUE)
        committed.append(lead_id)

    def run_jobs(db: psycopg.Connection) -> None:
        db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 5)")

    def change_much(db: psycopg.Connection) -> None:
        """So that the log that there is room for is used up soon."""
        db.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")

    url = cluster.url()
    with ExitStack() as stack:
        loads = [Load(url, work) for work in (bring_leads, run_jobs, change_much)]
        for load in loads:
            stack.callback(load.stopping.set)
        poll(lambda: len(committed) > 50, timeout=60, what="there is work")
        fill_up(filler)
        log = cluster.home / "server.log"
        poll(lambda: re.search("] 53100 PANI[CK]:", log.read_text()), timeout=120, what="the server gives up")
        answered = list(committed)
        filler.unlink()
        start_again(cluster.start)
        poll(lambda: len(committed) > len(answered) + 20, timeout=60, what="calls go on")
        for load in loads:
            load.stop()
    with cluster.connect() as db:
        leads = {row[0] for row in db.execute("SELECT id FROM lead_protection.leads")}
        assert set(committed) <= leads, "what was committed is there"
        run_pipeline(db)
        reminded = [row[0] for row in db.execute("SELECT lead_id FROM lead_protection.lead_reminders ORDER BY 1")]
        assert reminded == sorted(leads), "one reminder for each"
        assert broken(db) == {}
    print(f"{len(answered)} leads were committed when the server gave up, {len(leads)} in the end")
