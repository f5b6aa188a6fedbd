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
from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, ago, insert_holds, insert_lead_of_age
from helpers.hold_calls import limited_policy
from helpers.killing import PLANT, answer, broken, dies, fingerprint, session, state, writes
from helpers.project import THOROUGH, poll

pytestmark = pytest.mark.slow("each call in a database of its own, over and over")

EVERY = bool(os.environ.get("KILLED_AT_EVERY_WRITE"))

# Leads of user 7: 1 and 10 to 12 protected, 2 on hold, 3 and 14 due, 4 expired, 5 closed, 6 free, 7 with an activity,
# 8 reminded, 9 near the limit of its hold, 13 beyond it.
WORLD = """
SELECT lead_protection.create_lead_hold(2, 7, 'x', 1);
SELECT lead_protection.close_lead(5, 7, 'LOST', 'x', 1);
SELECT lead_protection.give_back_lead(6, 7, 'x', 1);
SELECT lead_protection.record_lead_activity(7, 7, 'QUALIFIED_CALL', now() - INTERVAL '1 day', 'call', 1);
SELECT lead_protection.create_lead_hold(9, 7, 'x', 1, now() - INTERVAL '23 hours');
SELECT lead_protection.register_event_consumer('crm', since => '-infinity', attempt_limit => 1);
CREATE TABLE crm (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz DEFAULT now());
INSERT INTO crm SELECT 5000 + n, 8, now() - n * INTERVAL '60 days' FROM generate_series(1, 5) AS n;
CREATE TABLE old_holds AS SELECT 1::bigint AS lead_id, now() - INTERVAL '9 days' AS start_at,
    now() - INTERVAL '8 days' AS end_at, 'x'::text AS reason;
CREATE TABLE old_reminders AS SELECT 1::bigint AS lead_id, now() - INTERVAL '5 days' AS sent_at;
"""
# What a caller was given before.
GIVEN = """
CREATE TABLE dead AS
SELECT lease_token, array_agg(id) AS ids FROM lead_protection.claim_events('crm', 2) GROUP BY 1;
SELECT lead_protection.fail_events('crm', lease_token, ids, 'x') FROM dead;
CREATE TABLE claimed AS
SELECT lease_token, array_agg(id) AS ids FROM lead_protection.claim_events('crm', 2) GROUP BY 1;
CREATE TABLE given AS
SELECT (SELECT ids FROM dead) AS dead,
    (SELECT window_date FROM lead_protection.lead_reminders WHERE lead_id = 8) AS window_date,
    (SELECT id FROM lead_protection.lead_holds WHERE lead_id = 2) AS hold_id,
    (SELECT id FROM lead_protection.lead_holds WHERE lead_id = 9) AS limited_hold_id,
    (SELECT id FROM lead_protection.protection_policies WHERE name = 'limited') AS policy_id;
"""

# One transaction each. By position after the name; {…} is a column of the table given.
CALLS = {
    "protect_lead": "(7, 1, 'key', lead_id => 100)",
    "extend_lead": "(1, 7, 5, 'x', 2, 1, 'key')",
    "transfer_lead": "(2, 7, 8, 'x', 1)",
    "transfer_leads": "('key', 8, 'x', 1, '{1,2,4,6}')",
    "give_back_lead": "(2, 7, 'x', 1)",
    "backdate_lead": "(1, 7, now() - INTERVAL '150 days', 'x', 'mail', 1)",
    "close_lead": "(2, 7, 'LOST', 'x', 1)",
    "close_leads": "('key', 'LOST', 'x', 1, '{1,2,4,6}')",
    "reopen_lead": "(5, 7, 'x', 1)",
    "void_lead_closing": "(5, 7, 'x', 1)",
    "delete_lead": "(2, 7, 'x', 1)",
    "create_lead_hold": "(1, 7, 'x', 1)",
    "release_lead_hold": "(2, 7, 1)",
    "correct_lead_hold": "({hold_id}, 1, now() - INTERVAL '2 hours', now() - INTERVAL '1 hour', 'x', 1)",
    "void_lead_hold": "({hold_id}, 1, 'x', 1)",
    "override_hold_limit": "({limited_hold_id}, 1, date_trunc('day', now()) + INTERVAL '9 days', 'x', 1)",
    "hold_leads": "('key', 'x', 1, '{1,2,4,10}')",
    "release_leads": "('key', 1, '{1,2,4,9}')",
    "record_lead_activity": "(1, 7, 'QUALIFIED_CALL', now() - INTERVAL '2 hours', 'key', 1)",
    "correct_lead_activity": "(7, 'call', 'QUALIFIED_CALL', date_trunc('day', now()) - INTERVAL '9 hours', 'x', 1)",
    "delete_lead_activity": "(7, 'call', 'x', 1)",
    "erase_texts": "('x', 1, lead_ids => '{2,5}')",
    "create_policy_version": "('new', 1)",
    "set_default_policy": "({policy_id}, 1)",
    "assign_user_policy": "(7, {policy_id}, 1)",
    "move_leads_to_policy": "('{1,2}', {policy_id}, 'x', 1)",
    "create_calendar_version": "('OWN', 'x', '[{\"date\": \"2027-01-04\", \"name\": \"x\"}]', '{6,7}', 1)",
    "start_reminder_delivery": "(8, 7, {window_date}, 'm-1')",
    "report_reminder_delivery": "(8, 7, {window_date}, 'm-1', 'failed', 'x')",
    "configure_reminders": "(10, 2)",
    "register_event_consumer": "('other', since => '-infinity')",
    "unregister_event_consumer": "('crm')",
    "claim_events": "('crm', 3)",
    "acknowledge_events": "('crm', (SELECT lease_token FROM claimed), (SELECT ids FROM claimed))",
    "fail_events": "('crm', (SELECT lease_token FROM claimed), (SELECT ids FROM claimed), 'x')",
    "replay_events": "('crm', '-infinity')",
    "discard_dead_events": "('crm', {dead}, 'x')",
    "import_holds": "('old_holds', 1)",
    "import_reminders": "('old_reminders')",
    "pause_protection": "('x', 1)",
    "resume_protection": "(1)",
    "recover_from_clock_ahead": "()",
    "refresh_metrics": "('0')",
    "mend_clock_drift": "()",
    "end_overrun_holds": "()",
    "announce_hold_limits": "()",
    "queue_adoption_drift": "()",
    "dismiss_adopted_row": "('crm', '5006', 'x', 1)",
}
# What must be there before, or there is nothing to write.
BEFORE = {
    "start_reminder_delivery": "SELECT lead_protection.close_lead(8, 7, 'LOST', 'x', 1)",
    "resume_protection": "SELECT lead_protection.pause_protection('x', 1)",
    "recover_from_clock_ahead": "UPDATE lead_protection.event_deliveries SET available_at = now() + INTERVAL '1 year'"
    " WHERE status = 'pending'",
    "mend_clock_drift": "UPDATE lead_protection.lead_clocks SET protection_expires_at = protection_expires_at"
    " + INTERVAL '1 day' WHERE lead_id IN (1, 10)",
    "queue_adoption_drift": "{adopted}; ALTER TABLE crm DISABLE TRIGGER USER;"
    " UPDATE crm SET user_id = 9 WHERE id = 5001; ALTER TABLE crm ENABLE TRIGGER USER",
    "dismiss_adopted_row": "{adopted}; INSERT INTO crm VALUES (5006, 8, '1800-01-01');"
    " CALL lead_protection.follow_adopted_tables()",
}
ADOPTED = "CALL lead_protection.adopt_leads('crm', 1, name => 'crm'); CALL lead_protection.switch_on_adoption()"
# Repeated they do the next, or the same once more, or refuse, as their comments say.
GO_ON = {
    "claim_events", "replay_events", "refresh_metrics", "create_policy_version", "register_event_consumer",
    "unregister_event_consumer",
}  # fmt: skip

# Several transactions each: what was committed before stays, and the repeated call does the rest.
PROCEDURES = {
    "run_protection_pipeline": ("", "CALL lead_protection.run_protection_pipeline(batch_size => 2)"),
    "run_nightly_maintenance": ("", "CALL lead_protection.run_nightly_maintenance()"),
    "follow_adopted_tables": (
        "{adopted}; UPDATE crm SET user_id = 9; DELETE FROM crm WHERE id = 5001;"
        " INSERT INTO crm VALUES (5006, 8, now() - INTERVAL '1 day')",
        "CALL lead_protection.follow_adopted_tables(batch_size => 2)",
    ),
    "adopt_leads": ("", "CALL lead_protection.adopt_leads('crm', 1, batch_size => 2)"),
    "switch_on_adoption": (
        "CALL lead_protection.adopt_leads('crm', 1)",
        "CALL lead_protection.switch_on_adoption(batch_size => 2)",
    ),
    "disown_source": ("CALL lead_protection.adopt_leads('crm', 1)", "CALL lead_protection.disown_source('crm')"),
}


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
            ages = {3: REMINDER_DUE, 4: EXPIRED, 8: REMINDER_DUE, 14: REMINDER_DUE}
            for lead_id in range(1, 15):
                insert_lead_of_age(db, lead_id, ages.get(lead_id, PROTECTED))
            limited = limited_policy(db, "limited", hold_limit_days=1)
            db.execute("UPDATE lead_protection.leads SET policy_id = %s WHERE id IN (9, 13)", (limited,))
            db.execute("UPDATE lead_protection.leads SET closed_at = now(), closed_as = 'LOST' WHERE id IN (3, 4, 14)")
            insert_holds(db, 13, [(ago(2), None)])
            db.execute(WORLD)
            db.execute("CALL lead_protection.run_protection_pipeline()")
            db.execute("UPDATE lead_protection.leads SET closed_at = NULL WHERE id IN (3, 4, 14)")
            # Or whether the pipeline counts them would be a matter of seconds.
            db.execute("UPDATE lead_protection.metric_values SET measured_at = measured_at - INTERVAL '1 day'")
            db.execute(GIVEN)
            db.execute(PLANT)
        yield name


def run_each(db: psycopg.Connection, script: str) -> None:
    """Statements one by one: what commits cannot be in a transaction with others."""
    for statement in filter(None, (part.strip() for part in script.format(adopted=ADOPTED).split(";"))):
        db.execute(statement)


def instants(last: int) -> list[int | str]:
    """The writes at which it dies, of so many, and the commit."""
    if EVERY:
        return [*range(1, last + 1), "commit"]
    some = {1, 1 + last // 3, 1 + 2 * last // 3, last} if THOROUGH else {1 + last // 2, last}
    return [*sorted(some & set(range(1, last + 1))), "commit"]


def statement(name: str, db: psycopg.Connection) -> str:
    """The call, with what the caller was given, and now as an instant, so that each time it is the same one."""
    given = row(db, "SELECT given.*, now() AS now FROM given")
    arguments = CALLS[name].replace("now()", "{now}")
    for column, value in given.items():
        arguments = arguments.replace(f"{{{column}}}", psycopg.sql.Literal(value).as_string(db))
    return f"SELECT * FROM lead_protection.{name}{arguments}"


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
