"""Measures the numbers of the design as ratios within one run, on a private PostgreSQL: make bench.

Each line sets what Lead Protection does beside the least that PostgreSQL would have to do for it: the bare index scan,
the bare INSERT. Milliseconds depend on the machine; the ratios are what to hold.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import psycopg

PROJECT = Path(__file__).resolve().parent.parent
VIEW = "lead_protection.v_user_lead_protection"
SOON = "protection_expires_at >= now() AND protection_expires_at < now() + INTERVAL '10 days'"

# Written in parts: one statement for ten million leads would keep all their rows for its triggers.
PART = 500_000
LEADS = """
-- With changed_at they were leads before, and are not published as new.
INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)
SELECT n, n %% (%(leads)s / 200), now() - n * (INTERVAL '300 days' / %(leads)s), now()
FROM generate_series(%(first)s, %(last)s) AS n;
-- 12 in 100 were held once, 3 in 100 are on hold now.
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by, released_by)
SELECT id, user_id, 'x', created_at + INTERVAL '10 days', created_at + INTERVAL '15 days', 1, 1
FROM lead_protection.leads WHERE id BETWEEN %(first)s AND %(last)s AND id %% 25 < 3;
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, created_by)
SELECT id, user_id, 'x', now() - (now() - created_at) / 2, 1
FROM lead_protection.leads WHERE id BETWEEN %(first)s AND %(last)s AND id %% 100 IN (5, 45, 85);
"""

# The view as one would write it at first: all holds added up for every lead, on every look.
PLAIN = """
SELECT l.id, l.user_id, (l.created_at AT TIME ZONE 'Europe/Berlin' + INTERVAL '6 months 70 days')
    AT TIME ZONE 'Europe/Berlin' + coalesce(h.held, INTERVAL '0') AS protection_expires_at
FROM lead_protection.leads AS l
LEFT JOIN (
    SELECT lead_id, user_id, sum(coalesce(end_at, now()) - start_at) AS held
    FROM lead_protection.lead_holds GROUP BY lead_id, user_id
) AS h ON l.id = h.lead_id AND l.user_id = h.user_id
"""


def p95(taken):
    """What 95 in 100 of the figures are below."""
    return statistics.quantiles(taken, n=20)[-1]


def milliseconds(db, query):
    """Milliseconds of the query, rows fetched."""
    start = time.perf_counter()
    db.execute(query).fetchall()
    return (time.perf_counter() - start) * 1000


def timed(db, query, repeat=30):
    """P95 of the query's milliseconds, rows fetched, over `repeat` runs."""
    return p95([milliseconds(db, query) for _ in range(repeat)])


def second_call(url, query, sessions=60):
    """P95 of the milliseconds of a query that a new session sends for the second time, planning and rows included."""
    taken = []
    for _ in range(sessions):
        with psycopg.connect(url, autocommit=True) as db:
            milliseconds(db, query)
            taken.append(milliseconds(db, query))
    return p95(taken)


def in_server(db, query, repeat=30):
    """P95 of the milliseconds that the server takes for the query, without the rows' way to the client."""
    taken = []
    for _ in range(repeat):
        (explained,) = db.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}").fetchone()[0]
        taken.append(explained["Planning Time"] + explained["Execution Time"])
    return p95(taken)


def once(db, statement, args=None):
    """Seconds that the statement takes."""
    start = time.perf_counter()
    db.execute(statement, args)
    return time.perf_counter() - start


def rate(pgbench, url, seconds, leads, statements):
    """Rounds a second that pgbench gets through with two clients, each round all statements for one running lead."""
    users = leads // 200
    script = f"\\set lead random(1, {leads // 2})\n\\set user :lead % {users}\n" + ";\n".join(statements) + ";\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = [pgbench, "-n", "-c", "2", "-j", "2", "-M", "prepared", "-T", str(seconds), "-f", file.name, url]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (rounds,) = re.findall(r"tps = ([0-9.]+)", report)
    return float(rounds)


FIGURES: dict[str, dict] = {}


def show(what, ours, bare, unit, hold=""):
    """Print one line of the report, and note it for --save."""
    FIGURES[what] = {"ours": ours, "bare": bare, "unit": unit}
    ratio = f"{ours / bare:8.2f} x" if bare else ""
    bare = f"{bare:12.2f}" if bare else " " * 12
    print(f"{what:<58}{ours:12.2f}{bare} {unit:<8}{ratio:<12}{hold}", flush=True)


def lists(db, url):
    """Look-ups and lists."""
    first = f"SELECT * FROM {VIEW} WHERE {SOON} AND NOT on_hold ORDER BY protection_expires_at LIMIT 50"
    for what, query, hold, repeat in (
        ("one lead", f"SELECT * FROM {VIEW} WHERE lead_id = 4711", "below 1 ms", 200),
        ("one user's 200 leads", f"SELECT * FROM {VIEW} WHERE user_id = 34", "below 5 ms", 100),
        ("first 50 to expire in 10 days", first, "below 2 ms", 200),
    ):
        show(what, timed(db, query, repeat), 0, "ms P95", hold)
        show("  by a new session, the second time", second_call(url, query), 0, "ms P95", hold)
    left = f"SELECT * FROM {VIEW} WHERE on_hold ORDER BY time_left LIMIT 50"
    show("first 50 on hold by the time left", timed(db, left, 100), 0, "ms P95")
    bare = in_server(db, f"SELECT * FROM lead_protection.lead_clocks WHERE {SOON}")
    ours = in_server(db, f"SELECT * FROM {VIEW} WHERE {SOON} AND NOT on_hold")
    show("all to expire in 10 days : bare index scan", ours, bare, "ms P95", "at most 1.5 x")
    held = in_server(db, f"SELECT * FROM {VIEW} WHERE {SOON}")
    show("the same with those on hold : bare index scan", held, bare, "ms P95", "at most 4 x, below 50 ms")
    plain = in_server(db, f"SELECT * FROM ({PLAIN}) AS p WHERE {SOON}", 5)
    show("plain view that adds up all holds : ours", plain, ours, "ms P95", "at least 30 x")


# The least by hand: what a hold writes, by two functions of five statements each that decide nothing. The rows go to
# copies of the tables, of the same size and with the same indexes, and are of the same length.
BY_HAND = """
CREATE FUNCTION by_hand_create(which bigint, whose bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    event uuid := gen_random_uuid();
BEGIN
    PERFORM FROM bare_leads AS l WHERE l.id = which FOR UPDATE;
    INSERT INTO bare_lead_holds (lead_id, user_id, reason, created_by) VALUES (which, whose, 'x', 1)
    ON CONFLICT DO NOTHING;
    UPDATE bare_lead_clocks AS c SET open_hold_from = now(), runs_from = 'infinity' WHERE c.lead_id = which;
    INSERT INTO bare_protection_log (
        event_id, lead_id, user_id, event_type, occurred_at, actor_id, reason, state_before, state_after,
        expires_before, expires_after, details
    )
    VALUES (
        event, which, whose, 'lead.hold.created', now(), 1, 'x', 'PROTECTED', 'PROTECTED', now(), now(), '%(details)s'
    );
    INSERT INTO bare_outbox_events (id, aggregatetype, aggregateid, type, payload)
    VALUES (event, 'lead', which, 'lead.hold.created', '%(payload)s');
    RETURN which;
END;
$$;
CREATE FUNCTION by_hand_release(which bigint, whose bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    event uuid := gen_random_uuid();
BEGIN
    PERFORM FROM bare_leads AS l WHERE l.id = which FOR UPDATE;
    UPDATE bare_lead_holds AS h SET end_at = clock_timestamp(), released_by = 1
    WHERE h.lead_id = which AND h.user_id = whose AND h.end_at IS NULL AND h.voided_at IS NULL;
    UPDATE bare_lead_clocks AS c
    SET open_hold_from = NULL, runs_from = now(), stops = c.stops + tstzmultirange(tstzrange(now(), clock_timestamp())),
        protection_expires_at = c.protection_expires_at + INTERVAL '1 second'
    WHERE c.lead_id = which;
    INSERT INTO bare_protection_log (
        event_id, lead_id, user_id, event_type, occurred_at, actor_id, reason, state_before, state_after,
        expires_before, expires_after, details
    )
    VALUES (
        event, which, whose, 'lead.hold.released', now(), 1, 'x', 'PROTECTED', 'PROTECTED', now(), now(), '%(details)s'
    );
    INSERT INTO bare_outbox_events (id, aggregatetype, aggregateid, type, payload)
    VALUES (event, 'lead', which, 'lead.hold.released', '%(payload)s');
    RETURN which;
END;
$$;
"""


def by_hand(db):
    """Make the functions, with details and payload as long as those of a hold are."""
    with db.transaction(force_rollback=True):
        (lead, user) = db.execute(
            f"SELECT lead_id, user_id FROM {VIEW} WHERE state = 'PROTECTED' AND NOT on_hold LIMIT 1"
        ).fetchone()
        db.execute("SELECT lead_protection.create_lead_hold(%s, %s, 'x', 1)", (lead, user))
        (details, payload) = db.execute(
            "SELECT g.details::text, e.payload::text FROM lead_protection.protection_log AS g"
            " INNER JOIN lead_protection.outbox_events AS e ON e.id = g.event_id"
            " WHERE g.event_type = 'lead.hold.created' ORDER BY g.recorded_at DESC LIMIT 1"
        ).fetchone()
    db.execute(BY_HAND % {"details": details, "payload": payload})


def server_cpu(url, leads, statements, rounds=1500):
    """Milliseconds of the server's processor a round, of one session that makes them for leads at random."""
    numbers = random.Random(1)
    with psycopg.connect(url, autocommit=True) as db:
        stat = Path(f"/proc/{db.info.backend_pid}/stat")

        def ticks():
            fields = stat.read_text().rsplit(") ", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        for number in range(rounds + 100):
            if number == 100:  # plans are made
                before = ticks()
            lead = numbers.randint(1, leads // 2)
            for statement in statements:
                db.execute(statement, {"lead": lead, "user": lead % (leads // 200)}, prepare=True)
        return (ticks() - before) * 1000 / os.sysconf("SC_CLK_TCK") / rounds


def hold_cost(db, pgbench, url, seconds, leads):
    """One hold created and released beside the least by hand: processor without the disk, and the durable rate."""
    by_hand(db)
    ours = [
        "SELECT lead_protection.create_lead_hold({lead}, {user}, 'x', 1)",
        "SELECT lead_protection.release_lead_hold({lead}, {user}, 1)",
    ]
    least = ["SELECT by_hand_create({lead}, {user})", "SELECT by_hand_release({lead}, {user})"]
    db.execute("ALTER SYSTEM SET fsync = off")
    db.execute("SELECT pg_reload_conf()")
    took, took_by_hand = [
        server_cpu(url, leads, [one.format(lead="%(lead)s", user="%(user)s") for one in statements])
        for statements in (ours, least)
    ]
    show("hold created and released : least by hand, processor", took, took_by_hand, "ms", "at most 2.0 x")
    db.execute("ALTER SYSTEM RESET fsync")
    db.execute("SELECT pg_reload_conf()")
    made, made_by_hand = [
        rate(pgbench, url, seconds, leads, [one.format(lead=":lead", user=":user") for one in statements])
        for statements in (ours, least)
    ]
    show("the same, durable, by two clients", made, made_by_hand, "a second", "at least 0.5 x")


def yardstick(pgbench, url, seconds):
    """What this machine can do: to compare one report with another."""
    found = {}
    for what, statement in (
        ("look-ups", "SELECT n FROM yardstick WHERE id = :lead"),
        ("commits", "UPDATE yardstick SET n = n + 1 WHERE id = :lead"),
    ):
        found[what] = rate(pgbench, url, seconds, 20_000, [statement])
    print(f"this machine, two clients: {found['look-ups']:.0f} look-ups, {found['commits']:.0f} commits a second")


BARE_HOLD = """
INSERT INTO bare_lead_holds (lead_id, user_id, reason, created_by)
SELECT id, user_id, 'x', 1 FROM lead_protection.leads WHERE id = ANY(%s)
"""
BARE_RELEASE = "UPDATE bare_lead_holds SET end_at = now(), released_by = 1 WHERE end_at IS NULL AND lead_id = ANY(%s)"


def bulk_holds(db, most):
    """Many leads held in one call, and released in another."""
    running = f"SELECT lead_id FROM {VIEW} WHERE state <> 'EXPIRED' AND NOT on_hold LIMIT %s"
    (leads,) = db.execute(f"SELECT array_agg(lead_id) FROM ({running}) AS v", (most,)).fetchone()
    for what, call, bare_holds in (
        ("held", "hold_leads('k1', 'x', 1, %s)", BARE_HOLD),
        ("released", "release_leads('k2', 1, %s)", BARE_RELEASE),
    ):
        ((since,),) = db.execute("SELECT clock_timestamp()")
        ours = once(db, f"SELECT count(*) FROM lead_protection.{call}", (leads,))
        repeated = once(db, f"SELECT count(*) FROM lead_protection.{call}", (leads,))
        bare = once(db, bare_holds, (leads,))
        written = bare + bare_change(db, leads, since)
        verb = {"held": "INSERT", "released": "UPDATE"}[what]
        show(f"{len(leads)} {what} in one call : bare {verb} of the holds", ours * 1000, bare * 1000, "ms")
        show("the same : bare writing of all that it writes", ours * 1000, written * 1000, "ms")
        show("the same, repeated with its key", repeated * 1000, 0, "ms")


def bare_rows(db, since, ledger=None, which=""):
    """Seconds for the bare INSERT of what a run wrote since an instant: log rows, events, and those of a ledger."""
    return sum(
        once(db, f"INSERT INTO bare_{table} OVERRIDING SYSTEM VALUE SELECT * FROM lead_protection.{table} {which}")
        for table, which in (
            *(((ledger, which),) if ledger else ()),
            ("protection_log", f"WHERE recorded_at >= '{since}'"),
            ("outbox_events", f"WHERE \"timestamp\" >= '{since}'"),
        )
    )


def bare_change(db, leads, since):
    """Seconds for the bare writing of what every bulk call has written since: log, events, answers, clocks."""
    answers = (
        "INSERT INTO bare_bulk_hold_results SELECT * FROM lead_protection.bulk_hold_results"
        f" WHERE decided_at >= '{since}'"
    )
    clocks = (
        "UPDATE bare_lead_clocks AS c SET (user_id, policy_id, started_at, base_expires_at, runs_from,"
        " stops, open_hold_from, protection_expires_at, window_date, reminder_due_at)"
        " = (o.user_id, o.policy_id, o.started_at, o.base_expires_at, o.runs_from,"
        " o.stops, o.open_hold_from, o.protection_expires_at, o.window_date, o.reminder_due_at)"
        " FROM lead_protection.lead_clocks AS o WHERE o.lead_id = ANY(%s) AND c.lead_id = o.lead_id"
    )
    return bare_rows(db, since) + once(db, answers) + once(db, clocks, (leads,))


def run(db, what, event_type, ledger=None, which=""):
    """One run of the pipeline that does nothing but write events of that type, and rows of a ledger."""
    ((since,),) = db.execute("SELECT clock_timestamp()")
    ours = once(db, "CALL lead_protection.run_protection_pipeline()")
    ((number,),) = db.execute(
        "SELECT count(*) FROM lead_protection.protection_log WHERE event_type = %s AND recorded_at >= %s",
        (event_type, since),
    )
    bare = bare_rows(db, since, ledger, which)
    show(what, number / ours, 0, "a second", "at least 20,000")
    show(f"{what} : bare INSERT of the same rows", ours * 1000, bare * 1000, "ms", "at most 2 x")


def pipeline(db):
    """Everything that is due, sent in one run; then what has expired, and what no longer has."""
    # Expiries out of the way, and reminders unsent again: the run that is measured does nothing else.
    db.execute("SELECT lead_protection.configure_reminders(NULL, NULL)")
    db.execute("UPDATE lead_protection.settings SET for_drills = true")
    db.execute("CALL lead_protection.run_protection_drill(now() - INTERVAL '1 hour')")
    # And what was logged so far is sealed.
    db.execute("CALL lead_protection.run_protection_pipeline()")
    db.execute("ALTER TABLE lead_protection.lead_reminders DISABLE TRIGGER refuse_change")
    db.execute("TRUNCATE lead_protection.lead_reminders CASCADE")
    db.execute("UPDATE lead_protection.lead_clocks SET reminded_at = NULL, reminded_window = NULL")
    db.execute("VACUUM (FULL, ANALYZE) lead_protection.lead_clocks")
    run(db, "reminders sent", "lead.protection.reminder", "lead_reminders")

    # Leads whose protection ended days ago: their expiries are due, and nothing else.
    db.execute("INSERT INTO bare_lead_expiries OVERRIDING SYSTEM VALUE SELECT * FROM lead_protection.lead_expiries")
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n + 3000000000, 78, now() - INTERVAL '261 days', now() FROM generate_series(1, 20000) AS n"
    )
    run(db, "expiries recorded", "lead.protection.expired", "lead_expiries", "WHERE lead_id > 3000000000")

    # A hold that is entered late gives them back what they had lost.
    db.execute(
        "INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by, released_by)"
        " SELECT id, user_id, 'x', created_at + INTERVAL '9 days', created_at + INTERVAL '99 days', 1, 1"
        " FROM lead_protection.leads WHERE id > 3000000000"
    )
    run(db, "reactivations recorded", "lead.protection.reactivated")


def consumers(db, url, events, snapshot):
    """What one consumer adds to the writing of events, and how fast it takes them."""
    write = (
        "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at)"
        f" SELECT n % ({events} / 5), 7, 'lead.changed', now() FROM generate_series(1, {events}) AS n"
    )
    alone = once(db, write)
    db.execute("SELECT lead_protection.register_event_consumer('bench')")
    show(f"{events} events written with a consumer : without", once(db, write) * 1000, alone * 1000, "ms")
    handled, start = 0, time.perf_counter()
    while True:
        (batch,) = db.execute(
            "WITH claimed AS MATERIALIZED (SELECT * FROM lead_protection.claim_events('bench', 1000)),"
            " batch AS (SELECT lease_token, array_agg(id) AS ids FROM claimed GROUP BY 1)"
            " SELECT count(*) FROM batch, LATERAL lead_protection.acknowledge_events('bench', lease_token, ids)"
        ).fetchone()
        handled += batch
        if batch == 0:
            break
    show("events claimed and acknowledged, 1000 at once", handled / (time.perf_counter() - start), 0, "a second")
    one_by_one(db, url, snapshot)
    db.execute("SELECT lead_protection.unregister_event_consumer('bench')")


CLAIM = (
    "SELECT a.* FROM lead_protection.claim_events('bench', 1) AS c,"
    " LATERAL lead_protection.acknowledge_events('bench', c.lease_token, ARRAY[c.id]) AS a"
)


def claimed_one_by_one(db, events):
    """Seconds for events that are written first, and then claimed and acknowledged one by one."""
    db.execute(
        "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at)"
        f" SELECT n, 7, 'lead.changed', now() FROM generate_series(1, {events}) AS n"
    )
    start = time.perf_counter()
    for _ in range(events):
        db.execute(CLAIM, prepare=True).fetchall()
    return time.perf_counter() - start


def one_by_one(db, url, snapshot, events=3000):
    """Events claimed and acknowledged one by one, in order per lead, beside a queue by plain SKIP LOCKED."""
    ours = claimed_one_by_one(db, events)
    db.execute("CREATE TABLE plain_queue (id bigint PRIMARY KEY, payload jsonb)")
    db.execute(
        "INSERT INTO plain_queue SELECT row_number() OVER (), payload FROM lead_protection.outbox_events"
        f" ORDER BY sequence_number DESC LIMIT {events}"
    )
    take = (
        "DELETE FROM plain_queue WHERE id = (SELECT id FROM plain_queue ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)"
        " RETURNING payload"
    )
    start = time.perf_counter()
    for _ in range(events):
        db.execute(take, prepare=True).fetchall()
    plain = time.perf_counter() - start
    show("claimed and acknowledged one by one : plain SKIP LOCKED", events / ours, events / plain, "a second", "8,000")
    with psycopg.connect(url) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM lead_protection.settings")
        begin = time.perf_counter()
        while time.perf_counter() - begin < snapshot:
            took = claimed_one_by_one(db, events // 3)
        what = f"  after {snapshot} s of somebody's snapshot : without"
        show(what, events // 3 / took, events / ours, "a second", "at least 0.9 x")


BARE_LEADS = """
UPDATE bare_leads AS l SET (user_id, policy_id, created_at, changed_at)
    = (o.user_id, o.policy_id, o.created_at, o.changed_at)
FROM lead_protection.leads AS o WHERE o.id = ANY(%s) AND l.id = o.id
"""


def bulk_changes(db, most):
    """Many leads given to another user, moved to a policy, and brought in, in one call each."""
    (leads,) = db.execute(
        f"SELECT array_agg(lead_id) FROM (SELECT lead_id FROM {VIEW} WHERE closed_at IS NULL LIMIT %s) AS v", (most,)
    ).fetchone()
    (policy,) = db.execute(
        "SELECT policy_id FROM lead_protection.create_policy_version('bench', base_months => 5, actor_id => 1)"
    ).fetchone()
    for what, call, args in (
        ("transferred", "transfer_leads('t1', 999, 'x', 1, %s)", (leads,)),
        ("moved to a policy", "move_leads_to_policy(%s, %s, 'x', 1)", (leads, policy)),
    ):
        ((since,),) = db.execute("SELECT clock_timestamp()")
        ours = once(db, f"SELECT count(*) FROM lead_protection.{call}", args)
        history = f"SELECT * FROM lead_protection.lead_history WHERE valid_until >= '{since}'"
        bare = (
            bare_change(db, leads, since)
            + once(db, f"INSERT INTO bare_lead_history OVERRIDING SYSTEM VALUE {history}")
            + once(db, BARE_LEADS, (leads,))
        )
        what = f"{len(leads)} {what} in one call : bare writing"
        show(what, ours * 1000, bare * 1000, "ms", "at most 2 x")
    rows = f"SELECT n + 1000000000, 77, now() - INTERVAL '1 day', now() FROM generate_series(1, {most}) AS n"
    ours = once(db, f"INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at) {rows}")
    bare = once(
        db, "INSERT INTO bare_leads SELECT * FROM lead_protection.leads WHERE id > 1000000000 ON CONFLICT DO NOTHING"
    ) + once(db, "INSERT INTO bare_lead_clocks SELECT * FROM lead_protection.lead_clocks WHERE lead_id > 1000000000")
    show(f"{most} leads inserted : the same rows by hand", ours * 1000, bare * 1000, "ms", "at most 3 x")


def statements(db):
    """The page with all leads of a user who has 10,000."""
    db.execute(
        "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
        " SELECT n + 2000000000, 5555555, now() - n * INTERVAL '40 minutes', now() FROM generate_series(1, 10000) AS n"
    )
    page = "SELECT lead_protection.statement_of_user(5555555, now() - INTERVAL '1 year', now(), 'de', 'html')"
    show("statement of a user with 10000 leads", once(db, page) * 1000, 0, "ms", "below 5,000 ms")


ADOPT = (
    "CALL lead_protection.adopt_leads('crm', 1, converted_when => $$status = 'won'$$, lost_when => $$status = 'lost'$$)"
)


def write_rates(pgbench, url, seconds, table):
    """Rows inserted, given to somebody else, and deleted a second, each in a transaction of its own."""
    key = "\\set key random(1, 1000000000)"
    statements = {
        "inserted": f"INSERT INTO {table} VALUES (:key, 7, now(), 'new', 'x') ON CONFLICT DO NOTHING",
        "given to somebody else": f"UPDATE {table} SET user_id = user_id + 1 WHERE id = :old",
        "deleted": f"DELETE FROM {table} WHERE id = :old",
    }
    for what, statement in statements.items():
        script = f"{key}\n\\set old random(10000001, 10100000)\n{statement};\n"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            command = [pgbench, "-n", "-c", "1", "-M", "prepared", "-T", str(seconds), "-f", file.name, url]
            report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        (rounds,) = re.findall(r"tps = ([0-9.]+)", report)
        yield what, float(rounds)


def adoption(db, rows, pgbench, url, seconds):
    """What it takes to take a table over, what its writers pay from then on, and what it takes to follow them."""
    db.execute(
        "CREATE TABLE crm (id bigint PRIMARY KEY, user_id bigint, created_at timestamptz, status text, note text)"
    )
    insert = (
        "INSERT INTO {} SELECT {} + n, n % 500, now() - n * INTERVAL '1 minute', 'new', 'x'"
        f" FROM generate_series(1, {rows}) AS n"
    )
    db.execute(insert.format("crm", 10_000_000))
    db.execute("CREATE TABLE bare_crm (LIKE crm INCLUDING ALL)")
    db.execute("INSERT INTO bare_crm SELECT * FROM crm")
    db.execute("ANALYZE crm")
    ours = once(db, ADOPT)
    db.execute("CALL lead_protection.switch_on_adoption()")
    leads = (
        "INSERT INTO lead_protection.leads (id, user_id, created_at)"
        " SELECT id + 4000000000000000, user_id, created_at FROM crm"
    )
    show(f"{rows} rows taken over : one INSERT into leads", ours * 1000, once(db, leads) * 1000, "ms")
    for what, statement in (
        (f"{rows} rows inserted when adopted", insert),
        ("updated in what does not matter", "UPDATE {} SET note = note || 'y'"),
        ("given to somebody else", "UPDATE {} SET user_id = user_id + 1 WHERE id > {}"),
    ):
        bare = once(db, statement.format("bare_crm", 30_000_000))
        ours = once(db, statement.format("crm", 30_000_000))
        show(f"{what} : when not", ours * 1000, bare * 1000, "ms", "at most 2 x")
        took = once(db, "CALL lead_protection.follow_adopted_tables()")
        show("  and followed", took * 1000, 0, "ms")
    bare = dict(write_rates(pgbench, url, seconds, "bare_crm"))
    for what, rounds in write_rates(pgbench, url, seconds, "crm"):
        show(f"one row {what}, by rate : when not", bare[what] / rounds, 1, "", "at most 2 x")
    db.execute("CALL lead_protection.follow_adopted_tables()")
    bare = once(db, f"DELETE FROM bare_crm WHERE id > 30000000 AND id <= 30000000 + {rows}")
    ours = once(db, f"DELETE FROM crm WHERE id > 30000000 AND id <= 30000000 + {rows}")
    show(f"{rows} rows deleted when adopted : when not", ours * 1000, bare * 1000, "ms", "at most 2 x")
    show("  and followed", once(db, "CALL lead_protection.follow_adopted_tables()") * 1000, 0, "ms")
    drift = once(db, "SELECT count(*) FROM lead_protection.find_adoption_drift()")
    show(f"proof that {rows} adopted rows are in step", drift * 1000, 0, "ms")


def scrapes(db):
    """What Prometheus asks for, and what it takes to have it ready."""
    refresh = once(db, "SELECT lead_protection.refresh_metrics('0')")
    bare = once(db, f"SELECT state, count(*) FROM {VIEW} GROUP BY state")
    show("metrics refreshed : state counts from the view alone", refresh * 1000, bare * 1000, "ms")
    scrape = timed(db, "SELECT lead_protection.prometheus_metrics()", 100)
    show("all metrics as scraped", scrape, 0, "ms P95", "below 50 ms")


# What --only names, in the order in which all of it is measured.
PARTS = {
    "lists": lambda at: lists(at.db, at.url),
    "proof": lambda at: proof(at.db),
    "holds": lambda at: (hold_cost(at.db, at.pgbench, at.url, at.seconds, at.leads), bulk_holds(at.db, 100_000)),
    "jobs": lambda at: pipeline(at.db),
    # Once the jobs have caught up: else the oldest reminder that waits is behind all that expired.
    "metrics": lambda at: scrapes(at.db),
    "events": lambda at: consumers(at.db, at.url, 100_000, at.snapshot),
    "bulk": lambda at: (bulk_changes(at.db, 100_000), statements(at.db)),
    "adoption": lambda at: adoption(at.db, 100_000, at.pgbench, at.url, at.seconds),
}


def fill(db, leads):
    """Make the leads with their holds, and empty or equal copies of what is written by hand."""
    for first in range(1, leads + 1, PART):
        with psycopg.ClientCursor(db) as cursor:
            cursor.execute(LEADS, {"leads": leads, "first": first, "last": min(first + PART - 1, leads)})
    for table in (
        "lead_holds",
        "lead_reminders",
        "lead_expiries",
        "lead_history",
        "protection_log",
        "outbox_events",
        "bulk_hold_results",
        "lead_clocks",
        "leads",
    ):
        db.execute(f"CREATE TABLE bare_{table} (LIKE lead_protection.{table} INCLUDING ALL)")
    for table in ("lead_clocks", "leads"):
        db.execute(f"INSERT INTO bare_{table} SELECT * FROM lead_protection.{table}")
    db.execute("CREATE TABLE yardstick (id integer PRIMARY KEY, n integer)")
    db.execute("INSERT INTO yardstick SELECT g, 0 FROM generate_series(1, 10000) AS g")
    db.execute("VACUUM ANALYZE")


def measure(db, url, pgbench, arguments):
    """Print the report."""
    print(db.execute("SELECT version()").fetchone()[0])
    yardstick(pgbench, url, arguments.seconds)
    print(f"{arguments.leads} leads, 12 % held once, 3 % on hold now\n")
    print(f"{'':<58}{'ours':>12}{'bare':>12}")
    for part in arguments.only or PARTS:
        PARTS[part](SimpleNamespace(db=db, url=url, pgbench=pgbench, **vars(arguments)))


def proof(db):
    """The cache beside the rule, derived anew for every lead."""
    drift = once(db, "SELECT count(*) FROM lead_protection.find_clock_drift()")
    show("proof that the whole cache equals the rule", drift * 1000, 0, "ms", "10 million in 10 minutes")


def main():
    """Start a private PostgreSQL, fill it, measure, delete it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=10, help="of each rate")
    parser.add_argument("--snapshot", type=int, default=60, help="seconds for which a snapshot is held")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure these parts only")
    parser.add_argument("--directory", help="where the server is filled, and left; measured if it is there already")
    parser.add_argument("--fill", action="store_true", help="fill it, and measure later; wants --directory")
    parser.add_argument("--save", help="write the figures to this file, too, for bench/plot.py")
    arguments = parser.parse_args()
    if arguments.fill and not arguments.directory:
        parser.error("--fill wants --directory")

    postgres = PROJECT / "scripts" / "private-postgres"
    directory = arguments.directory or tempfile.mkdtemp(prefix="lead-protection-bench-")
    is_filled = Path(directory, "filled").exists()

    def private_postgres(*words):
        return subprocess.run([postgres, *words], check=True, capture_output=True, text=True).stdout.strip()

    try:
        # Durable, as in real life: a commit waits for the disk, for the bare statements as for ours.
        private_postgres("start", directory)
        url = private_postgres("url", directory)
        if not is_filled:
            subprocess.run(
                [sys.executable, "-m", "lead_protection", "apply", "--database", url],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            with psycopg.connect(url, autocommit=True) as db:
                db.execute("ALTER SYSTEM SET shared_buffers = '512MB'")
                db.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
            private_postgres("stop", directory)
            private_postgres("start", directory)
        with psycopg.connect(url, autocommit=True) as db:
            if not is_filled:
                fill(db, arguments.leads)
                Path(directory, "filled").touch()
            if not arguments.fill:
                measure(db, url, Path(private_postgres("bin", directory)) / "pgbench", arguments)
                if arguments.save:
                    report = {"leads": arguments.leads, "figures": FIGURES}
                    Path(arguments.save).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    finally:
        private_postgres("stop", *(() if arguments.directory else ("--remove",)), directory)


if __name__ == "__main__":
    main()
