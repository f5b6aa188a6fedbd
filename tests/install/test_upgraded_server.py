"""pg_upgrade takes a database along to the next PostgreSQL: the same rows and dates, and nothing is sent twice.

It needs several PostgreSQL on one machine. On Debian: scripts/test-on forky scripts/older-postgresql make moved-house
"""

import os
import re
import shutil
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.facts import REMINDER_DUE, drift, insert_lead_of_age
from helpers.log_form import problems_of_log
from helpers.moved import live_in, load_sample, look
from helpers.project import left_to, run_program
from helpers.seals import checkpoint, export, problems, verified
from helpers.server import server_directory
from helpers.standby import AS_OWNER, Cluster, as_owner

pytestmark = [
    pytest.mark.slow("a server of its own for each version"),
    left_to("moved-house"),
]

REMINDED = "SELECT lead_id, window_date FROM lead_protection.lead_reminders ORDER BY 1, 2"
OF_A_DUMP = re.compile(r"(?m)^(\\(un)?restrict .*|-- Dumped .*|SET transaction_timeout = 0;)\n")


def major(programs: Path) -> int:
    """The major version of the PostgreSQL in a directory."""
    said = run_program([str(programs / "initdb"), "--version"]).stdout
    return int(re.findall(r"\) (\d+)", said)[0])


def installed() -> list[Path]:
    """The programs of each PostgreSQL that there is, the oldest first.

    LEAD_PROTECTION_PG_BINS names others, with colons between.
    """
    named = [Path(each) for each in os.environ.get("LEAD_PROTECTION_PG_BINS", "").split(":") if each]
    found = named or [each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return sorted(found, key=major)


def pairs() -> list:
    """From each version to the next, and from the oldest to the newest at once."""
    there = installed()
    if len(there) < 2:
        return [pytest.param(None, None, marks=pytest.mark.skip("it takes two PostgreSQL"))]
    found = list(pairwise(there)) + ([(there[0], there[-1])] if len(there) > 2 else [])
    return [pytest.param(old, new, id=f"{major(old)}-{major(new)}") for old, new in found]


def definition(programs: Path, url: str) -> str:
    """The whole definition of the schema."""
    done = run_program([str(programs / "pg_dump"), "--schema-only", "--schema=lead_protection", url])
    assert done.returncode == 0, done.stderr
    return OF_A_DUMP.sub("", done.stdout)


def upgrade(old: Cluster, old_programs: Path, programs: Path, directory: str) -> None:
    """Make a cluster of the newer version in a directory, and bring the old one into it, which is stopped."""
    home = Path(directory)
    if AS_OWNER:
        shutil.chown(home, "postgres")
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    # From 18 on a new cluster has checksums, and the old one must be like it.
    options += ["--no-data-checksums"] if major(programs) >= 18 else []
    as_owner(programs / "initdb", f"--pgdata={home}/data", *options)
    # What private-postgres makes of a new one: it writes the file at each start.
    as_owner("bash", "-c", f"cp {old.home}/data/private.conf {home}/data && touch {home}/server.log {home}/elsewhere")
    (home / "elsewhere").unlink()
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write("include 'private.conf'\n")
    done = run_program(
        [*AS_OWNER, "bash", "-c",
         f"cd {home} && {programs}/pg_upgrade --old-bindir={old_programs} --new-bindir={programs} --username=postgres"
         f" --old-datadir={old.home}/data --new-datadir={home}/data --socketdir={home}"
         f" || {{ tail -n 30 {home}/data/pg_upgrade_output.d/*/log/pg_upgrade_dump_*.log; exit 1; }}"],
    )  # fmt: skip
    if "pg_attver=" in done.stdout:
        # So it is from Debian's 17.12 to its 18.6: CREATE TABLE t (a int) is enough.
        pytest.skip("of a plain table the older PostgreSQL writes what the newer one cannot read")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("old_programs", "programs"), pairs())
def test_pg_upgrade_takes_all_along(old_programs, programs, monkeypatch):
    with server_directory() as directory, server_directory() as new_directory:
        with monkeypatch.context() as chosen:
            chosen.setenv("PG_BIN", str(old_programs))
            server = Cluster(directory)
            run_ok("apply", "--database", server.url())
        with closing(server.connect()) as db:
            load_sample(db)
            live_in(db)
            if all((each.parent / "lib" / "pg_cron.so").exists() for each in (old_programs, programs)):
                db.execute("CREATE EXTENSION pg_cron")
                run_ok("schedule", "--database", server.url())
                # None of them is to write while rows are compared.
                db.execute("SELECT cron.alter_job(jobid, active => false) FROM cron.job")
            # It is due, and waits.
            insert_lead_of_age(db, 5000, REMINDER_DUE)
            db.execute("SELECT lead_protection.pause_protection('pg_upgrade', 901)")
            at = datetime.now(UTC)
            before, jobs, reminded = look(db, at), jobs_of(db), db.execute(REMINDED).fetchall()
        server.stop()

        upgrade(server, old_programs, programs, new_directory)
        upgraded = Cluster(new_directory)
        with closing(upgraded.connect()) as db:
            assert db.info.server_version // 10000 == major(programs)
            assert look(db, at) == before
            assert jobs_of(db) == jobs
            assert drift(db) == [] and problems_of_log(db) == []
            db.execute("ANALYZE")
            assert "0 pending" in run_ok("apply", "--database", upgraded.url())
            run_ok("status", "--database", upgraded.url())
            # The same as if it had been installed here.
            db.execute("CREATE DATABASE fresh")
            run_ok("apply", "--database", upgraded.url("fresh"))
            assert definition(programs, upgraded.url()) == definition(programs, upgraded.url("fresh"))
            db.execute("SELECT lead_protection.resume_protection(901)")
            db.execute("CALL lead_protection.run_nightly_maintenance()")
            db.execute("CALL lead_protection.run_protection_pipeline()")
            now = db.execute(REMINDED).fetchall()
            new = set(now) - set(reminded)
            assert len(now) == len(reminded) + 1, "the one that waited, and nothing once more"
            assert [lead_id for lead_id, _ in new] == [5000]
            assert db.execute("SELECT count(*) FROM lead_protection.claim_events('crm', 1000)").fetchone()[0] > 0
            assert db.execute("SELECT * FROM lead_protection.verify_protection_log()").fetchall() == []
            assert problems(verified(export(db), checkpoint(db))) == []
            assert drift(db) == []


def jobs_of(db: psycopg.Connection) -> list[tuple]:
    """What pg_cron has."""
    if db.execute("SELECT FROM pg_extension WHERE extname = 'pg_cron'").rowcount == 0:
        return []
    return db.execute("SELECT jobid, jobname, schedule, command, active FROM cron.job ORDER BY 1").fetchall()
