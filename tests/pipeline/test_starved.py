"""What a server lacks is told, nothing is half done, and the next run heals: connections, the queue of NOTIFY, time.

The long ones are run by `make moved-house`.
"""

import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import median

import psycopg
import pytest

from helpers.command_line import run_ok
from helpers.consumer_calls import claim, register
from helpers.facts import PROTECTED, REMINDER_DUE, insert_lead_of_age
from helpers.jobs import run_nightly, run_pipeline
from helpers.killing import broken
from helpers.own_server import OwnServer
from helpers.project import cases, left_to, poll, seed
from helpers.server import server_directory

ROLE = "test_starved"
REMINDERS = "SELECT count(*) FROM lead_protection.lead_reminders"


# --- a bulk call that is cancelled ---


def test_a_bulk_call_cancelled_half_way_leaves_nothing_and_its_key_is_free(db):
    for lead_id in range(1, 301):
        insert_lead_of_age(db, lead_id, PROTECTED)
    db.execute("""
        CREATE SEQUENCE public.holds;
        CREATE FUNCTION public.cancel() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF nextval('public.holds') = 150 THEN
                PERFORM pg_cancel_backend(pg_backend_pid());
            END IF;
            RETURN new;
        END $$;
        CREATE TRIGGER cancel BEFORE INSERT ON lead_protection.lead_holds
        FOR EACH ROW EXECUTE FUNCTION public.cancel()
    """)
    call = "SELECT * FROM lead_protection.hold_leads('key', 'x', 1, (SELECT array_agg(id) FROM lead_protection.leads))"
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute(call)
    left = "SELECT (SELECT count(*) FROM lead_protection.lead_holds)"
    left += ", (SELECT count(*) FROM lead_protection.bulk_hold_requests)"
    assert db.execute(left).fetchone() == (0, 0)
    assert broken(db) == {}
    db.execute(call)
    assert db.execute(left).fetchone() == (300, 1)
    assert broken(db) == {}


# --- timeouts of a role ---


@pytest.mark.slow("calls that are cut short over and over")
def test_timeouts_of_a_role_at_random_leave_nothing_half_done(db, database_url):
    """Its sessions begin with them, as those of an application do; another session locks leads beside it."""
    for lead_id in range(1, 31):
        insert_lead_of_age(db, lead_id, (PROTECTED, REMINDER_DUE)[lead_id % 2])
    chance = random.Random(seed())
    cut, done = {"57014": 0, "55P03": 0}, 0
    db.execute(f"CREATE ROLE {ROLE} LOGIN IN ROLE lead_protection_jobs, lead_protection_app")
    try:
        for _ in range(cases(400, usual=40, fast=10)):
            for name, values in (("statement_timeout", (5, 10, 20, 50)), ("lock_timeout", (1, 5, 10, 30))):
                db.execute(f"ALTER ROLE {ROLE} SET {name} = {chance.choice(values)}")
            locked, held = chance.sample(range(2, 31, 2), 2)
            with (
                closing(psycopg.connect(database_url)) as other,
                closing(psycopg.connect(database_url.replace("postgres@", f"{ROLE}@"), autocommit=True)) as session,
            ):
                other.execute("SELECT FROM lead_protection.leads WHERE id = %s FOR UPDATE", (locked,))
                lead_id = chance.choice([locked, held])
                call = chance.choice(
                    [
                        "CALL lead_protection.run_protection_pipeline(batch_size => 5)",
                        f"SELECT lead_protection.create_lead_hold({lead_id}, 7, 'x', 1)",
                        f"SELECT lead_protection.release_lead_hold({lead_id}, 7, 1)",
                        f"SELECT lead_protection.hold_leads('k{chance.random()}', 'x', 1, ARRAY[{locked}, {held}])",
                    ]
                )
                try:
                    session.execute(call)
                    done += 1
                except psycopg.Error as error:
                    if error.sqlstate not in cut:
                        assert error.sqlstate.startswith("LP"), error  # there is no hold to be released
                        done += 1
                    else:
                        cut[error.sqlstate] += 1
    finally:
        db.execute(f"DROP ROLE {ROLE}")
    assert done and all(cut.values()), (done, cut)
    assert broken(db) == {}
    run_pipeline(db)
    run_nightly(db)
    assert db.execute(REMINDERS).fetchone() == (15,)
    assert db.execute("SELECT count(*) FROM lead_protection.job_runs WHERE outcome = 'running'").fetchone() == (0,)
    assert broken(db) == {}


# --- a snapshot that is held open ---


def take_all(db: psycopg.Connection, batch: int) -> list[float]:
    """Claim and acknowledge until nothing is left; how long each claim took, in seconds."""
    took = []
    while True:
        began = time.perf_counter()
        events = claim(db, batch_size=batch)
        took.append(time.perf_counter() - began)
        if not events:
            return took[:-1]
        db.execute(
            "SELECT lead_protection.acknowledge_events('crm', %s, %s)",
            (events[0].lease_token, [event.id for event in events]),
        )


@left_to("moved-house")
@pytest.mark.slow("thousands of events, claimed twice")
def test_claims_go_on_while_somebody_holds_an_old_snapshot(db, connect):
    """What was acknowledged stays behind as dead rows, which no vacuum may take away while the snapshot is held."""
    leads = 2000
    register(db)
    for lead_id in range(1, leads + 1):
        insert_lead_of_age(db, lead_id, PROTECTED)

    def round_trip() -> tuple[float, float]:
        db.execute("SELECT lead_protection.create_lead_hold(id, 7, 'x', 1) FROM lead_protection.leads")
        db.execute("SELECT lead_protection.release_lead_hold(id, 7, 1) FROM lead_protection.leads")
        took = take_all(db, 20)
        return median(took), max(took)

    round_trip()
    db.execute("VACUUM ANALYZE lead_protection.event_deliveries")
    before, _ = round_trip()
    holder = connect(autocommit=False)
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute("SELECT count(*) FROM lead_protection.event_deliveries")
    held = []
    for _ in range(4):
        held.append(round_trip())
        db.execute("VACUUM lead_protection.event_deliveries")
    insert_lead_of_age(db, leads + 1, REMINDER_DUE)
    assert run_pipeline(db)["reminders"] == 1
    (status,) = db.execute("SELECT status FROM lead_protection.health WHERE check_name = 'outbox_lag'").fetchone()
    assert status == "ok", "what is done in time is well, whoever holds a snapshot"
    (found,) = db.execute("SELECT found FROM lead_protection.health WHERE check_name = 'old_snapshots'").fetchone()
    assert found.startswith(f"process {holder.info.backend_pid} of role postgres "), "and it is told who does"
    # All rows of each round are dead for us, and none may be taken away.
    waiting = "SELECT count(*) FROM lead_protection.event_deliveries WHERE status = 'pending' AND attempts > 0"
    assert db.execute(waiting).fetchone() == (0,)
    assert all(typical < 1 for typical, _ in held), "a claim of 20 reads no more than it must"
    holder.rollback()
    print(f"a claim of 20, {leads} leads: {before * 1000:.1f} ms; held: {[f'{a * 1000:.1f}' for a, _ in held]} ms")


# --- no connection is left ---


@pytest.fixture
def small() -> Iterator[OwnServer]:
    """A server of its own with 20 connections, 3 of which are for superusers, and its database `crm`."""
    with server_directory() as directory:
        own = OwnServer(directory)
        with closing(own.connect("postgres")) as db:
            db.execute("ALTER SYSTEM SET max_connections = 20")
            db.execute("ALTER SYSTEM SET superuser_reserved_connections = 3")
        own.restart()
        own.server.psql("CREATE DATABASE crm")
        run_ok("apply", "--database", own.url("crm"))
        own.server.psql(f"CREATE ROLE {ROLE} LOGIN IN ROLE lead_protection_jobs, lead_protection_app")
        yield own


def take_all_connections(own: OwnServer, stack: ExitStack) -> None:
    """Connect until the server refuses."""
    for _ in range(20):
        try:
            stack.enter_context(closing(own.connect("crm", ROLE)))
        except psycopg.OperationalError:
            return
    pytest.fail("no connection was refused")


def sqlstate_of_refusal(own: OwnServer) -> str:
    """What the server says to one connection too many: libpq keeps it to itself."""
    start = f"user\0{ROLE}\0database\0crm\0\0".encode()
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(f"{own.server.host}/.s.PGSQL.5432")
        wire.sendall(struct.pack("!ii", len(start) + 8, 3 << 16) + start)
        (said,) = re.findall(rb"\0C([0-9A-Z]{5})\0", wire.recv(8192))
    return said.decode()


@left_to("moved-house")
@pytest.mark.slow("a server of its own, and two minutes of pg_cron")
def test_no_connection_is_left_is_told_and_the_next_run_heals(small, cron):
    small.server.psql("CREATE EXTENSION pg_cron")
    small.server.psql(
        f"GRANT USAGE ON SCHEMA cron TO {ROLE}; GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO {ROLE}"
    )
    urls = small.url("crm", ROLE), small.url("postgres", ROLE)
    run_ok("schedule", "--database", urls[0], "--cron-database", urls[1])
    with closing(small.connect("crm")) as db, closing(small.connect("postgres")) as in_cron, ExitStack() as stack:
        run_pipeline(db)
        db.execute("UPDATE lead_protection.job_runs SET started_at = now() - INTERVAL '1 hour'")
        db.execute("UPDATE lead_protection.job_runs SET finished_at = started_at")
        insert_lead_of_age(db, 1, REMINDER_DUE)
        take_all_connections(small, stack)
        assert sqlstate_of_refusal(small) == "53300"
        in_cron.execute("SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job")
        failed = "SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'failed'"
        poll(lambda: in_cron.execute(failed).fetchone() == (True,), timeout=130, what="pg_cron got no connection")
        said = in_cron.execute(
            "SELECT DISTINCT return_message FROM cron.job_run_details WHERE status = 'failed'"
        ).fetchall()
        assert [message for (message,) in said if "connection" in message] == [message for (message,) in said]
        bad = "SELECT check_name FROM lead_protection.health WHERE status <> 'ok'"
        bad += " AND check_name IN ('scheduler', 'pipeline')"
        assert {name for (name,) in db.execute(bad)} == {"scheduler", "pipeline"}
        assert db.execute(REMINDERS).fetchone() == (0,)
        stack.close()
        poll(lambda: db.execute(REMINDERS).fetchone() == (1,), timeout=130, what="the next run heals")
        poll(lambda: db.execute(bad).fetchall() == [], timeout=10, what="health is well again")
        assert broken(db) == {}


# --- the queue of NOTIFY ---


@pytest.mark.slow("a server of its own")
def test_a_full_queue_of_notify_stops_who_notifies_and_is_told(bare_server):
    """Somebody listens and never ends a transaction: then no commit that notifies goes through."""
    own = bare_server
    with closing(own.connect("crm")) as db, closing(psycopg.connect(own.url("crm"))) as listener:
        register(db, wake_up=True)
        for lead_id in (1, 2, 3):
            insert_lead_of_age(db, lead_id, PROTECTED)
        insert_lead_of_age(db, 4, REMINDER_DUE)
        listener.execute("LISTEN other")
        listener.commit()
        listener.execute("SELECT 1")  # it is in a transaction from here on
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            while True:
                db.execute("SELECT pg_notify('other', repeat('x', 7000) || n) FROM generate_series(1, 20) AS n")
        before = db.execute("SELECT count(*) FROM lead_protection.outbox_events").fetchone()
        for call in (
            "SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)",
            "CALL lead_protection.run_protection_pipeline()",
        ):
            with pytest.raises(psycopg.Error) as refused:
                db.execute(call)
            assert refused.value.sqlstate == "54000"
            assert db.execute("SELECT count(*) FROM lead_protection.outbox_events").fetchone() == before
        assert broken(db) == {}
        # A consumer that does not want to be woken is no reason to notify.
        db.execute("SELECT lead_protection.register_event_consumer('crm', wake_up => false)")
        db.execute("SELECT lead_protection.create_lead_hold(1, 7, 'x', 1)")
        db.execute("SELECT lead_protection.register_event_consumer('crm', wake_up => true)")
        listener.rollback()
        listener.close()
        poll(lambda: db.execute("SELECT pg_notification_queue_usage() < 0.5").fetchone() == (True,))
        db.execute("SELECT lead_protection.create_lead_hold(2, 7, 'x', 1)")
        assert run_pipeline(db)["reminders"] == 1
        assert broken(db) == {}


@pytest.fixture
def bare_server() -> Iterator[OwnServer]:
    """A server of its own whose queue of notifications is as small as can be."""
    with server_directory() as directory:
        own = OwnServer(directory)
        with closing(own.connect("postgres")) as db:
            if db.execute("SELECT FROM pg_settings WHERE name = 'max_notify_queue_pages'").rowcount == 0:
                pytest.skip("before PostgreSQL 17 the queue holds 8 GB")
            db.execute("ALTER SYSTEM SET max_notify_queue_pages = 64")
        own.restart()
        own.server.psql("CREATE DATABASE crm")
        run_ok("apply", "--database", own.url("crm"))
        yield own
