"""A backend dies at the k-th row that a call writes, and while it commits: nothing of it is left behind, and the
repeated call answers as if nothing had happened.

With KILLED_AT_EVERY_WRITE in the environment (make killed) at each k until none is left, and else at one in the middle
and the last; at night also at the first and some between.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

from helpers.calls import row, rows
from helpers.command_line import run_cli, run_ok
from helpers.killing import PLANT, answer, broken, dies, fingerprint, session, state, writes
from helpers.project import THOROUGH, poll
from helpers.written_calls import BEFORE, CALLS, PROCEDURES, make_world, run_each, statement

pytestmark = pytest.mark.slow("each call in a database of its own, over and over")

EVERY = bool(os.environ.get("KILLED_AT_EVERY_WRITE"))

# Repeated they do the next, or the same once more, or refuse, as their comments say.
GO_ON = {
    "claim_events", "replay_events", "refresh_metrics", "create_policy_version", "register_event_consumer",
    "unregister_event_consumer",
}  # fmt: skip


@pytest.fixture(scope="module")
def quiet(server) -> Iterator[None]:
    """Nobody else on the server writes: what was logged while the transaction of an ANALYZE was open, in whatever
    database, would not be sealed by this run, and that would be other rows, and other writes to die at."""
    server.execute("ALTER SYSTEM SET autovacuum = off")
    server.execute("SELECT pg_reload_conf()")
    with closing(psycopg.connect(server.url(), autocommit=True)) as db:
        poll(
            lambda: (
                row(db, "SELECT current_setting('autovacuum') AS now")["now"] == "off"
                and rows(db, "SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'") == []
            ),
            timeout=60,
            what="no autovacuum is at work",
        )
    yield
    server.execute("ALTER SYSTEM RESET autovacuum")
    server.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def world(new_database: Callable, template: str, server, quiet) -> Iterator[str]:
    """A small database in which something dies, as a template."""
    with new_database(template) as name:
        with psycopg.connect(server.url(name), autocommit=True) as db:
            make_world(db)
            db.execute(PLANT)
        yield name


def instants(last: int) -> list[int | str]:
    """The writes at which it dies, of so many, and the commit."""
    if EVERY:
        return [*range(1, last + 1), "commit"]
    some = {1, 1 + last // 3, 1 + 2 * last // 3, last} if THOROUGH else {1 + last // 2, last}
    return [*sorted(some & set(range(1, last + 1))), "commit"]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_dies_has_changed_nothing_and_can_be_repeated(name, world, new_database, server):
    with new_database(world) as dbname, closing(session(server.url(dbname))) as db:
        url = server.url(dbname)
        run_each(db, BEFORE.get(name, ""))
        call = statement(name, db)
        db.execute("SELECT setval('killing.writes', 1, false)")
        with db.transaction(force_rollback=True):
            expected = answer(rows(db, call))
            expected_state = state(db)
        last = writes(url)
        before = fingerprint(db)
        assert last > 0
        for at in instants(last):
            assert dies(url, call, at), at
            assert fingerprint(db) == before, at
        assert answer(rows(db, call)) == expected
        assert state(db) == expected_state
        assert broken(db) == {}
        # It has committed, and its answer was never heard: the same call says what was done, and does nothing.
        if name not in GO_ON:
            after = fingerprint(db)
            said = rows(db, call)
            assert fingerprint(db) == after
            assert not any(each.get("changed") or each.get("created") for each in said)


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_procedure_that_dies_is_gone_on_with_by_the_next_call(name, world, new_database, server):
    before, call = PROCEDURES[name]
    with new_database(world) as prepared:
        with closing(session(server.url(prepared))) as db:
            run_each(db, before)
            db.execute("SELECT setval('killing.writes', 1, false)")
        with new_database(prepared) as dbname, closing(session(server.url(dbname))) as db:
            db.execute(call)
            last = writes(server.url(dbname))
            expected = state(db)
            assert broken(db) == {}
        for at in instants(last):
            with new_database(prepared) as dbname, closing(session(server.url(dbname))) as db:
                # How many rows a run writes depends on what others do: what is not sealed now, the next run seals.
                url = server.url(dbname)
                assert dies(url, call, at) or (at != "commit" and writes(url) < int(at)), at
                assert broken(db) == {}, at
                assert not dies(server.url(dbname), call, 0)
                assert state(db) == expected, at
                assert broken(db) == {}, at
                assert db.execute("SELECT FROM lead_protection.job_runs WHERE outcome = 'running'").fetchall() == []


def test_an_apply_that_dies_has_changed_nothing_and_can_be_repeated(world, new_database, server, catalog, monkeypatch):
    with new_database(world) as dbname:
        url = server.url(dbname)
        # What is copied, nobody may be connected to.
        with closing(session(url)) as db:
            db.execute("UPDATE lead_protection.help_operations SET summary = 'old'")
            sums = "UPDATE lead_protection.migration_checksums SET sha256 = repeat('0', 64) WHERE migration_id = 'sql/'"
            db.execute(sums)
            db.execute("SELECT setval('killing.writes', 1, false)")
        with new_database(dbname) as control:
            run_ok("apply", "--database", server.url(control))
            last, expected = writes(server.url(control)), catalog(server.url(control))
        db = session(url)
        before, defined = fingerprint(db), catalog(url)
        for at in instants(last) if EVERY else [1 + last // 2, "commit"]:
            db.execute("SELECT setval('killing.writes', 1, false)")
            monkeypatch.setenv("PGOPTIONS", f"-c killing.at={at}")
            status, output = run_cli("apply", "--database", url)
            assert status == 1, output
            assert (fingerprint(db), catalog(url)) == (before, defined), at
        monkeypatch.delenv("PGOPTIONS")
        run_ok("apply", "--database", url)
        assert catalog(url) == expected
        run_ok("status", "--database", url)
        db.close()


# Written by whoever may; the others of the API read, or only plan what somebody else runs.
READ = {
    "cron_faults", "elapsed_text", "find_help", "help", "lead_id_of", "lock_leads", "is_at_work", "raise_job_failure",
    "require_cron_rights_sql", "schedule_jobs", "schedule_jobs_sql", "unschedule_jobs", "unschedule_jobs_sql",
    "exceeds_clock_skew", "is_instant_of_activity", "is_sensible_instant", "awaited_expiry", "pushed_expiry",
}  # fmt: skip
# Parts of the jobs, which are here.
PARTS = {"run_job_step", "start_job_run", "try_refresh_metrics"}


def test_every_call_that_writes_is_here(db):
    granted = db.execute(
        "SELECT DISTINCT p.proname FROM pg_proc AS p, aclexplode(p.proacl) AS a"
        " WHERE p.pronamespace = 'lead_protection'::regnamespace AND p.provolatile = 'v'"
        " AND a.grantee <> p.proowner AND p.prorettype <> 'trigger'::regtype"
    ).fetchall()
    assert {name for (name,) in granted} - CALLS.keys() - PROCEDURES.keys() - READ - PARTS == set()
