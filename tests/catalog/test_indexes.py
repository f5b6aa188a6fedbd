"""Each index has its use: it refuses something, or something of what we run reads it."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from helpers.calls import make_policy, row, rows
from helpers.pages import blocks
from helpers.project import PROJECT
from helpers.written_calls import BEFORE, CALLS, PROCEDURES, make_world, run_each, statement

pytestmark = pytest.mark.slow("a database with thousands of leads, and all that there is to call")

# Beside the leads that the calls are about, so that the planner has to choose well; with changed_at they are no news.
# Users 100 to 109 have the activity standard.
MORE = """
INSERT INTO lead_protection.leads (id, user_id, policy_id, created_at, changed_at)
SELECT 10000 + n, 100 + n % 50, CASE WHEN n % 50 < 10 THEN {parallel} ELSE 1 END, now() - n * INTERVAL '9 hours', now()
FROM generate_series(1, 1200) AS n;
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by, released_by)
SELECT id, user_id, 'x', created_at + INTERVAL '1 hour', created_at + INTERVAL '2 hours', 1, 1
FROM lead_protection.leads WHERE id > 10000 AND id % 7 = 0;
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, created_by)
SELECT id, user_id, 'x', created_at + INTERVAL '3 hours', 1 FROM lead_protection.leads WHERE id > 10000 AND id % 3 = 1;
INSERT INTO lead_protection.lead_activities (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)
SELECT l.id, CASE WHEN n < 3 THEN l.user_id ELSE 1 END, 'QUALIFIED_CALL', l.created_at, 'x' || n, 1
FROM lead_protection.leads AS l, generate_series(1, 30) AS n WHERE l.id BETWEEN 10001 AND 10100;
INSERT INTO lead_protection.lead_history (lead_id, valid_until, user_id, policy_id, created_at)
SELECT id, created_at, user_id, policy_id, created_at FROM lead_protection.leads WHERE id > 10000 AND id % 10 = 4;
INSERT INTO lead_protection.lead_reminders (lead_id, user_id, window_date, protection_expires_at, due_at, sent_at)
SELECT id, user_id, created_at::date + 251, created_at + INTERVAL '251 days', created_at + INTERVAL '241 days',
    created_at + INTERVAL '242 days'
FROM lead_protection.leads WHERE id > 10700;
"""
VIEW = "lead_protection.v_user_lead_protection"
# As whoever looks writes them: an application, an operator, lead_protection/moving.py.
LISTS = (
    f"SELECT * FROM {VIEW} WHERE lead_id = 10004",
    f"SELECT * FROM {VIEW} WHERE user_id = 120 ORDER BY protection_expires_at LIMIT 50",
    f"SELECT * FROM {VIEW} WHERE protection_expires_at BETWEEN now() AND now() + INTERVAL '10 days'",
    *(block.text for block in blocks(PROJECT / "docs" / "monitoring.md") if block.text.startswith("SELECT")),
    "SELECT * FROM lead_protection.lead_moves WHERE packed IS NOT NULL AND NOT is_here ORDER BY lead_id LIMIT 100",
)
# What a function that reads is asked, by its parameters without a default. Who asks for anything else computes.
GIVEN = {
    "lead_id": "1",
    "user_id": "7",
    "from_at": "now() - INTERVAL '1 year'",
    "until_at": "now()",
    "question": "'reminder'",
}
READING = """
SELECT p.proname, (coalesce(p.proargnames, '{}'))[:p.pronargs - p.pronargdefaults] AS needed
FROM pg_proc AS p
WHERE
    p.pronamespace = 'lead_protection'::regnamespace AND p.prokind = 'f' AND p.provolatile <> 'v'
    AND EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee <> p.proowner)
ORDER BY p.proname
"""
VIEWS = """
SELECT c.oid::regclass::text AS name
FROM pg_class AS c
WHERE c.relkind = 'v' AND c.relnamespace = 'lead_protection'::regnamespace
"""
# What keeps out a second row needs no other use.
UNREAD = """
SELECT c.relname
FROM pg_index AS i INNER JOIN pg_class AS c ON i.indexrelid = c.oid
WHERE
    c.relnamespace = 'lead_protection'::regnamespace AND NOT i.indisunique AND NOT i.indisexclusion
    AND pg_stat_get_numscans(c.oid) = 0
ORDER BY c.relname
"""
PLANTED = "CREATE INDEX planted ON lead_protection.lead_holds (created_by)"


@pytest.fixture(scope="module")
def at_work(new_database: Callable, template: str, server) -> Iterator[psycopg.Connection]:
    """A session in a database of its own in which there is something to do, and whose counts begin now.

    A small table is read through where that is cheaper, and an index only because it is smaller than its table: so it
    does neither.
    """
    settings = "-c enable_seqscan=off -c enable_indexonlyscan=off"
    with (
        new_database(template) as name,
        psycopg.connect(server.url(name), autocommit=True, options=settings) as db,
    ):
        make_world(db)
        db.execute(MORE.format(parallel=make_policy(db, "parallel", rule="parallel")))
        db.execute("CALL lead_protection.run_protection_pipeline()")
        db.execute(PLANTED)
        db.execute("VACUUM ANALYZE")
        db.execute("SELECT pg_stat_force_next_flush()")
        db.execute("SELECT pg_stat_reset()")
        yield db


def call_what_writes(db: psycopg.Connection) -> None:
    """Each call, and nothing of it stays; then the procedures, one after the other."""
    for name in CALLS:
        before = BEFORE.get(name, "")
        if "{adopted}" not in before:
            with db.transaction(force_rollback=True):
                run_each(db, before)
                db.execute(statement(name, db))
    for name, (_, call) in PROCEDURES.items():
        db.execute(call)
        if name == "adopt_leads":
            db.execute("CALL lead_protection.switch_on_adoption()")


def ask_what_reads(db: psycopg.Connection) -> None:
    """Each function, view and list."""
    for function in rows(db, READING):
        if set(function["needed"]) <= GIVEN.keys():
            arguments = ", ".join(GIVEN[name] for name in function["needed"])
            db.execute(f"SELECT * FROM lead_protection.{function['proname']}({arguments})")
    for view in rows(db, VIEWS):
        db.execute(f"SELECT * FROM {view['name']}")
    for query in LISTS:
        db.execute(query)


def move_leads(db: psycopg.Connection) -> None:
    """Leads depart; who comes for one is told; the other node has confirmed them."""
    key = "moved"
    lead_id = row(db, f"SELECT lead_id FROM lead_protection.protect_lead(7, 1, '{key}')")["lead_id"]
    hold = row(db, "SELECT hold_id FROM lead_protection.create_lead_hold(%s, 7, 'x', 1)", lead_id)
    db.execute("SELECT lead_protection.depart_leads(ARRAY[%s, 10007, 10008]::bigint[], 'one', 'two')", (lead_id,))
    for query in (f"protect_lead(7, 1, '{key}')", f"void_lead_hold({hold['hold_id']}, 1, 'x', 1)"):
        with pytest.raises(psycopg.Error, match="has moved") as error:
            db.execute(f"SELECT lead_protection.{query}")
        assert error.value.sqlstate == "LP135"
    ask_what_reads(db)
    confirm = (
        "SELECT lead_protection.confirm_departures(array_agg(m.lead_id), array_agg(m.move), array_agg(m.digest))"
        " FROM lead_protection.lead_moves AS m"
    )
    assert db.execute(confirm).fetchone() == (3,)


def test_an_index_refuses_something_or_is_read(at_work):
    call_what_writes(at_work)
    move_leads(at_work)
    at_work.execute("SELECT pg_stat_force_next_flush()")
    # The one that is planted shows that this finds one.
    assert [index["relname"] for index in rows(at_work, UNREAD)] == ["planted"]
