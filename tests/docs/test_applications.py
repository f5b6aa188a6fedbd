"""docs/applications.md: its programs run as they stand, through PgBouncer in transaction mode."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from helpers import debian_tools
from helpers.calls import call, rows
from helpers.pages import FENCE, ID, PROJECT, named_block
from helpers.pooler import pgbouncer
from helpers.project import run_program

pytestmark = pytest.mark.slow("a pooler, a JDK, a framework")

PAGE = PROJECT / "docs" / "applications.md"
OPEN_LEAD, ITS_USER, EXPIRED_LEAD, EXPIRED_USER, UNKNOWN = 44, 109, 195, 110, 999999


@pytest.fixture
def port(sample: psycopg.Connection, server) -> Iterator[int]:
    """The port of a PgBouncer with two sessions, and a role of an application that has a table of its own."""
    sample.execute("CREATE ROLE crm_app LOGIN IN ROLE lead_protection_app")
    sample.execute("CREATE ROLE crm_mailer LOGIN IN ROLE lead_protection_consumer, lead_protection_jobs")
    try:
        sample.execute("CREATE TABLE public.crm_notes (lead_id bigint)")
        sample.execute("GRANT INSERT, SELECT ON public.crm_notes TO crm_app")
        with pgbouncer(server, "crm_app", "crm_mailer", sessions=2) as port:
            yield port
    finally:
        sample.execute("DROP TABLE IF EXISTS public.crm_notes")
        sample.execute("DROP OWNED BY crm_app, crm_mailer")
        sample.execute("DROP ROLE crm_app, crm_mailer")


@pytest.fixture
def through(sample, port) -> Iterator[Callable[[str], psycopg.Connection]]:
    """Return a function that connects through PgBouncer, as a role."""
    connections = []

    def connect(role: str = "crm_app") -> psycopg.Connection:
        url = f"host=127.0.0.1 port={port} dbname={sample.info.dbname} user={role}"
        connections.append(psycopg.connect(url, autocommit=True, prepare_threshold=None))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def holds_and_notes(db) -> tuple[int, int]:
    """Open holds of the lead that is held, and rows of the application's own table."""
    ((holds, notes),) = db.execute(
        "SELECT (SELECT count(*) FROM lead_protection.lead_holds WHERE lead_id = %s AND end_at IS NULL),"
        " (SELECT count(*) FROM public.crm_notes)",
        (OPEN_LEAD,),
    ).fetchall()
    return holds, notes


def give_up_waiting_for_locks_after(db, limit: str) -> None:
    """Set it for the application's role, and end the sessions that PgBouncer keeps, which do not know it."""
    db.execute(f"ALTER ROLE crm_app SET lock_timeout = '{limit}'")
    ended = rows(db, "SELECT pg_terminate_backend(pid, 60000) AS ended FROM pg_stat_activity WHERE usename = 'crm_app'")
    assert all(row["ended"] for row in ended)


def java(page: Path) -> str:
    """The Java of the page that has a name."""
    text = page.read_text(encoding="utf-8")
    (found,) = [block[2] for block in FENCE.finditer(text) if block[1] == "java" and ID.search(text[: block.start()])]
    return found


@pytest.mark.thorough(
    "a JVM compiles, and starts five times",
    by_day="docs/test_applications.py::test_django"
    " docs/test_applications.py::test_jobs_and_consumers_work_through_a_pooler",
)
def test_jdbc(sample, port, tmp_path):
    program = tmp_path / "HoldLead.java"
    program.write_text(java(PAGE), encoding="utf-8")
    driver = debian_tools.find("jdbc", "share/java/postgresql.jar")
    launcher = debian_tools.find("jdbc", "bin/java")
    url = f"jdbc:postgresql://127.0.0.1:{port}/{sample.info.dbname}?user=crm_app&prepareThreshold=0"
    # Once: given the source, the launcher would compile it each time. What runs for a moment is not worth optimising.
    compiled = run_program(
        [launcher, "-m", "jdk.compiler/com.sun.tools.javac.Main", "-cp", driver, "-d", tmp_path, program]
    )
    assert compiled.returncode == 0, compiled.stderr
    command = [launcher, "-XX:TieredStopAtLevel=1", "-cp", f"{driver}:{tmp_path}", program.stem]

    def start(lead_id: int, user_id: int) -> subprocess.CompletedProcess[str]:
        return run_program([*command, str(lead_id), str(user_id)], env=os.environ | {"JDBC_URL": url})

    def run(lead_id: int, user_id: int) -> str:
        done = start(lead_id, user_id)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run(OPEN_LEAD, ITS_USER) == "200 held"
    assert run(OPEN_LEAD, ITS_USER) == "200 held before"
    assert run(EXPIRED_LEAD, EXPIRED_USER) == "409 protection_expired"
    assert run(UNKNOWN, ITS_USER) == "404 lead_not_found"
    assert holds_and_notes(sample) == (1, 4), "a refused hold does not undo what is the application's"

    give_up_waiting_for_locks_after(sample, "20ms")
    with sample.transaction():
        call(sample, "lock_leads", [OPEN_LEAD])
        done = start(OPEN_LEAD, ITS_USER)
    assert done.returncode != 0 and "PSQLException" in done.stderr, "given up after three attempts"
    assert holds_and_notes(sample) == (1, 4), "and all of it undone"


DJANGO_STEPS = """\
import sys
import django
from django.conf import settings
import crm_settings

settings.configure(DATABASES=crm_settings.DATABASES, USE_TZ=crm_settings.USE_TZ)
django.setup()
from django.db import connection
from protection import Refused, hold_lead, in_transaction

def work(lead_id, user_id):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO crm_notes (lead_id) VALUES (%s)", [lead_id])
    try:
        return hold_lead(lead_id, user_id, "price approval is awaited", 900)["created"]
    except Refused as refused:
        if refused.retryable:
            print("retry", flush=True)
            input()
            raise
        return f"{refused.http_status} {refused.name}: {bool(refused.detail and refused.hint)}"

for lead_id, user_id in zip(sys.argv[1::2], sys.argv[2::2]):
    print(in_transaction(lambda: work(int(lead_id), int(user_id))), flush=True)
"""


@pytest.mark.slow("starts Django twice")
def test_django(sample, port, server, tmp_path):
    pytest.importorskip("django")
    for name, text in {
        "crm_settings.py": named_block(PAGE, "django-settings").text,
        "protection.py": named_block(PAGE, "django").text,
        "steps.py": DJANGO_STEPS,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    env = os.environ | {"CRM_HOST": "127.0.0.1", "CRM_PORT": str(port), "CRM_DATABASE": sample.info.dbname}

    leads = (OPEN_LEAD, ITS_USER, OPEN_LEAD, ITS_USER, EXPIRED_LEAD, EXPIRED_USER, UNKNOWN, ITS_USER)
    done = run_program([sys.executable, "-W", "error", "steps.py", *map(str, leads)], env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True", "False", "409 protection_expired: True", "404 lead_not_found: True"]
    assert holds_and_notes(sample) == (1, 4), "a refused hold does not undo what is the application's"

    # A lead that somebody has locked: tried again until that one is done.
    give_up_waiting_for_locks_after(sample, "20ms")
    with sample.transaction():
        call(sample, "lock_leads", [OPEN_LEAD])
        process = subprocess.Popen(
            [sys.executable, "steps.py", str(OPEN_LEAD), str(ITS_USER)],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "retry\n"
    rest, _ = process.communicate("it is free now\n", timeout=120)
    assert (rest, process.returncode) == ("False\n", 0)
    assert holds_and_notes(sample) == (1, 5), "what was undone with the first attempt is there once"


def test_more_clients_than_sessions_of_the_server(sample, through):
    """Each call of a client may come to another session; what the calls say does not depend on that."""
    leads = [
        row["lead_id"]
        for row in rows(
            sample,
            "SELECT lead_id FROM lead_protection.v_user_lead_protection WHERE user_id = 109 AND state = 'PROTECTED'"
            " AND NOT on_hold ORDER BY lead_id LIMIT 4",
        )
    ]
    clients = [through() for _ in leads]
    sessions = [client.execute("SELECT pg_backend_pid()").fetchone()[0] for client in clients]
    assert len(set(sessions)) < len(clients)
    for _ in (1, 2):
        for client, lead_id in zip(clients, leads, strict=True):
            call(client, "create_lead_hold", lead_id, ITS_USER, "supply stop", 900)
    with clients[0].transaction(), clients[1].transaction():
        for client, lead_id in zip(clients[:2], leads, strict=False):
            with client.transaction():  # a savepoint
                call(client, "release_lead_hold", lead_id, ITS_USER, 900)
    answers = call(clients[3], "hold_leads", request_key="k", reason="x", actor_id=1, lead_ids=leads)
    assert [answer["outcome"] for answer in answers] == ["done", "done", "already", "already"]
    with pytest.raises(psycopg.Error) as error:
        call(clients[2], "create_lead_hold", EXPIRED_LEAD, EXPIRED_USER, "supply stop", 900)
    assert error.value.sqlstate == "LP008"


def test_jobs_and_consumers_work_through_a_pooler(sample, through):
    """A job commits as it goes; an event is given back by its token, whichever session that comes to."""
    call(sample, "register_event_consumer", "mailer", ["lead.protection.reminder"])
    one, other = through("crm_mailer"), through("crm_mailer")
    one.execute("CALL lead_protection.run_protection_pipeline()")
    claimed = call(one, "claim_events", "mailer", 5)
    assert len(claimed) == 5
    by_token: dict = {}
    for event in claimed:
        by_token.setdefault(event["lease_token"], []).append(event["id"])
    for token, ids in by_token.items():
        assert [row["status"] for row in call(other, "acknowledge_events", "mailer", token, ids)] == [
            "acknowledged"
        ] * 5
