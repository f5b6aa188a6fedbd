"""Timeouts at random, and a disk that is full: a clear error, nothing half done, and the next run heals."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age
from helpers.jobs import run_nightly, run_pipeline
from helpers.killing import broken
from helpers.project import cases, seed

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
    for number in range(cases(400, usual=80, fast=20)):
        session.execute(f"SET statement_timeout = {chance.choice([1, 2, 5, 10, 20, 50])}")
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


@pytest.fixture
def small_disk(server, template) -> Iterator[tuple[psycopg.Connection, Path]]:
    """A database on a file system of 60 MB, with the file that fills it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = Path(server.host).parent / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(place)], capture_output=True).returncode:
        place.rmdir()
        pytest.skip("no file system can be mounted here")
    try:
        (place / "data").mkdir()
        shutil.chown(place / "data", "postgres")
        server.execute(f"CREATE TABLESPACE small LOCATION '{place / 'data'}'")
        server.execute(f"CREATE DATABASE small TEMPLATE {template} TABLESPACE small STRATEGY FILE_COPY")
        with psycopg.connect(server.url("small"), autocommit=True) as db:
            yield db, place / "filler"
    finally:
        server.execute("DROP DATABASE IF EXISTS small WITH (FORCE)")
        server.execute("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_a_disk_that_is_full_is_told_and_the_next_run_heals(small_disk):
    db, filler = small_disk
    fill(db)
    # Many to remind, who need room, and no room at all.
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n, n, now() - INTERVAL '249 days', now() FROM generate_series(1001, 4000) AS n"
    )
    db.execute("CHECKPOINT")
    with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 65536)
            file.flush()
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
