"""The plans that the numbers rest on. Of plans, not of time: a plan is the same on a slow machine."""

import json

import psycopg
import pytest

from helpers.facts import EXPIRED, PROTECTED, REMINDER_DUE, insert_lead_of_age

pytestmark = pytest.mark.slow("a database with 40,000 leads")

VIEW = "lead_protection.v_user_lead_protection"
NEXT_TEN_DAYS = (
    f"SELECT * FROM {VIEW} WHERE protection_expires_at >= now() AND protection_expires_at < now() + INTERVAL '10 days'"
)
BY_EXPIRY = " ORDER BY protection_expires_at LIMIT 50"


LEADS = """
-- Over three years; every seventh was held once, every 33rd is on hold now. With changed_at they are no news.
INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)
SELECT n, n % 500, now() - n * INTERVAL '38 minutes', now() FROM generate_series(1, 40000) AS n;
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, end_at, created_by)
SELECT id, user_id, 'x', created_at + INTERVAL '5 days', created_at + INTERVAL '8 days', 1
FROM lead_protection.leads WHERE id % 7 = 0 AND id > 1000;
INSERT INTO lead_protection.lead_holds (lead_id, user_id, reason, start_at, created_by)
SELECT id, user_id, 'x', now() - INTERVAL '1 hour', 1
FROM lead_protection.leads WHERE id % 33 = 1 AND created_at > now() - INTERVAL '200 days';
-- Every tenth was extended, changed its policy once and has seen some activity.
INSERT INTO lead_protection.lead_extensions
(lead_id, user_id, days, reason, approved_by, granted_by, granted_at, request_key)
SELECT id, user_id, 5, 'x', 1, 1, created_at, 'x' FROM lead_protection.leads WHERE id % 10 = 2;
INSERT INTO lead_protection.lead_activities (lead_id, user_id, kind, occurred_at, activity_key, recorded_by)
SELECT id, user_id, 'QUALIFIED_CALL', created_at, 'x', 1 FROM lead_protection.leads WHERE id % 10 = 3;
INSERT INTO lead_protection.lead_history (lead_id, valid_until, user_id, policy_id, created_at)
SELECT id, created_at, user_id, policy_id, created_at FROM lead_protection.leads WHERE id % 10 = 4;
"""


@pytest.fixture(scope="module")
def big(new_database, template, server):
    """A connection to one database with 40,000 leads, for all tests here: they only look."""
    with new_database(template) as name, psycopg.connect(server.url(name), autocommit=True) as db:
        db.execute(LEADS)
        db.execute("CALL lead_protection.run_protection_pipeline()")
        db.execute("ANALYZE")
        yield db


@pytest.fixture
def untouched(new_database, template, server):
    """A connection to a database that no test was in: what they leave goes, but the planner counts its pages."""
    with new_database(template) as name, psycopg.connect(server.url(name), autocommit=True) as db:
        yield db


def plan(db, query):
    """All nodes of a query's plan, as pairs of node type and what it works on."""
    (root,) = db.execute("EXPLAIN (FORMAT JSON) " + query).fetchone()[0]
    nodes, todo = [], [root["Plan"]]
    while todo:
        node = todo.pop()
        nodes.append((node["Node Type"], node.get("Index Name") or node.get("Relation Name")))
        todo += node.get("Plans", [])
    return nodes


def scans(nodes):
    """The nodes that read a table or an index of ours."""
    return sorted({node for node in nodes if node[1]})


def test_ten_day_list_of_running_clocks_is_an_index_scan_merged_with_those_that_wait_for_a_notice(big):
    nodes = plan(big, NEXT_TEN_DAYS + " AND NOT on_hold" + BY_EXPIRY)
    assert nodes[:2] == [("Limit", None), ("Merge Append", None)]
    assert scans(nodes) == [("Index Scan", "lead_clocks_expiry"), ("Index Scan", "lead_clocks_owing_notice")]


def test_ten_day_list_with_stopped_clocks_merges_what_indexes_of_the_cache_find(big):
    nodes = plan(big, NEXT_TEN_DAYS + BY_EXPIRY)
    assert nodes[:2] == [("Limit", None), ("Merge Append", None)]
    assert {"lead_clocks_expiry", "lead_clocks_held"} <= {name for _, name in nodes}
    assert not any(kind == "Seq Scan" for kind, _ in nodes)


@pytest.mark.parametrize("where", ["lead_id = 4711", "user_id = 42"])
def test_lookups_read_the_cache_by_index(big, where):
    nodes = plan(big, f"SELECT * FROM {VIEW} WHERE {where}")
    assert not any(kind == "Seq Scan" for kind, _ in nodes)
    assert scans(nodes)


def test_the_view_reads_nothing_but_the_cache(big):
    nodes = plan(big, f"SELECT * FROM {VIEW}")
    indexes = {"lead_clocks_held", "lead_clocks_held_otherwise", "lead_clocks_owing_notice"}
    assert {name for _, name in scans(nodes)} <= {"lead_clocks"} | indexes


def test_clocks_on_hold_are_sorted_by_an_index_of_what_is_left_of_them(big):
    nodes = plan(big, f"SELECT * FROM {VIEW} WHERE on_hold ORDER BY time_left LIMIT 50")
    assert nodes[:2] == [("Limit", None), ("Merge Append", None)]
    assert ("Index Scan", "lead_clocks_held") in nodes
    # The others that stand still are few: they are found by an index, and sorted.
    assert sum(kind == "Sort" for kind, _ in nodes) == 1
    assert not any(kind == "Seq Scan" for kind, _ in nodes)


def test_derivation_of_one_lead_reads_no_table_through(big):
    nodes = plan(big, "SELECT * FROM lead_protection.protection_as_of(now()) WHERE lead_id = 4711")
    # Policies and kinds fit on a page.
    assert {name for kind, name in nodes if kind == "Seq Scan"} <= {"protection_policies", "activity_kinds"}


@pytest.mark.parametrize("function", ["protection_as_of", "user_lead_protection", "waiting_reminders"])
def test_the_rule_is_inlined(big, function):
    """A function scan would hide the indexes from every query."""
    nodes = plan(big, f"SELECT * FROM lead_protection.{function}(now())")
    assert not any(kind == "Function Scan" and name for kind, name in nodes)
    shown = json.dumps(big.execute(f"EXPLAIN (FORMAT JSON) SELECT * FROM lead_protection.{function}(now())").fetchone())
    assert f'"Function Name": "{function}"' not in shown


def test_the_reminders_that_wait_are_read_in_the_order_of_an_index_and_no_further_than_asked_for(big):
    nodes = plan(
        big,
        "SELECT waits_since FROM lead_protection.waiting_reminders() ORDER BY reminder_due_at, lead_id LIMIT 1000",
    )
    # From 18 on the planner makes one look of the two at lead_clocks.
    scan = "Index Only Scan" if big.info.server_version < 180000 else "Index Scan"
    assert (scan, "lead_clocks_to_remind") in nodes
    # The few rows of a lead's own log are sorted; they are in the order of their numbers.
    own = [n for n in range(1, len(nodes)) if nodes[n] == ("Index Scan", "protection_log_numbers")]
    nodes = [node for n, node in enumerate(nodes) if n + 1 not in own]
    # Where nothing is adopted, these are read as they stand: empty.
    assert not any(
        kind in ("Sort", "Seq Scan") and table not in ("adoptions", "adopted_leads") for kind, table in nodes
    )


def test_a_session_that_met_empty_tables_keeps_no_plan_for_them(untouched):
    """Functions that keep one plan for the session's life must not read the tables through, whatever they met first."""
    db = untouched

    def work(lead_id):
        """Everything that keeps plans, once: its batches and its lead."""
        db.execute("SELECT lead_protection.create_lead_hold(%s, 7, 'x', 1)", (lead_id,))
        db.execute("SELECT lead_protection.release_lead_hold(%s, 7, 1)", (lead_id,))
        db.execute("CALL lead_protection.run_protection_pipeline(batch_size => 500)")

    db.execute("SELECT lead_protection.configure_reminders(NULL, NULL)")
    insert_lead_of_age(db, 1, PROTECTED)
    db.execute("ANALYZE")
    work(1)
    for age, first in ((PROTECTED, 2), (REMINDER_DUE, 2002), (EXPIRED, 4002)):
        db.execute(
            "INSERT INTO lead_protection.leads (id, user_id, created_at, changed_at)"
            " SELECT n, 7, now() - %s * INTERVAL '1 day', now() FROM generate_series(%s::int, %s::int + 1999) AS n",
            (age, first, first),
        )
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    work(2)
    db.execute("SELECT pg_stat_force_next_flush()")
    read = db.execute(
        "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'lead_protection'"
        # Small tables may be read as they stand; those of the leads have thousands of rows by now. The days of
        # calendars were read by whoever installed them, in a session whose counts may come late.
        " AND seq_tup_read > 400 AND relname <> 'calendar_days'"
        # An index without a condition that tells one lead's rows is read through, too: some 500 a row.
        " UNION ALL SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = 'lead_protection'"
        " AND idx_tup_read > 20 * 6000"
    ).fetchall()
    assert read == []
    sent = db.execute(
        "SELECT count(*) FROM lead_protection.protection_log WHERE event_type <> 'lead.created'"
    ).fetchone()
    assert sent == (2 + 2 + 2000 + 2000,)


def test_whatever_may_read_no_table_through_is_not_compiled(db):
    """A small table without an index then costs 10^10: JIT made each hold take 100 ms at PostgreSQL's own settings."""
    compiled = db.execute(
        "SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'lead_protection'::regnamespace"
        " AND 'enable_seqscan=off' = ANY (p.proconfig) AND NOT 'jit=off' = ANY (p.proconfig)"
    ).fetchall()
    assert compiled == []


@pytest.mark.parametrize("statistics", ["none", "of a backlog that was done"])
@pytest.mark.made_up_events("events of leads that there are not, to have many")
def test_a_claim_and_its_acknowledgement_read_no_more_than_they_must(db, statistics):
    """A consumer's first claim may come before any ANALYZE, and one may come when nothing waited."""
    db.execute("ALTER TABLE lead_protection.event_deliveries SET (autovacuum_enabled = off)")
    db.execute("SELECT lead_protection.register_event_consumer('crm')")
    backlog = (
        "INSERT INTO lead_protection.protection_log (lead_id, user_id, event_type, occurred_at)"
        " SELECT n % 5000, 7, 'lead.changed', now() FROM generate_series(1, 20000) AS n"
    )
    if statistics != "none":
        db.execute(backlog)
        db.execute("UPDATE lead_protection.event_deliveries SET status = 'acknowledged', settled_at = now()")
        db.execute("VACUUM ANALYZE lead_protection.event_deliveries")
    # The square of it would be 400 million.
    db.execute(backlog)
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    (acknowledged,) = db.execute(
        "WITH claimed AS MATERIALIZED (SELECT * FROM lead_protection.claim_events('crm', 1000)),"
        " batch AS (SELECT lease_token, array_agg(id) AS ids FROM claimed GROUP BY 1)"
        " SELECT count(*) FROM batch, LATERAL lead_protection.acknowledge_events('crm', lease_token, ids) AS a"
        " WHERE a.changed"
    ).fetchone()
    assert acknowledged == 1000
    db.execute("SELECT pg_stat_force_next_flush()")
    scanned, fetched = db.execute(
        "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'event_deliveries'"
    ).fetchone()
    assert scanned == 0
    assert fetched < 20 * 1000


def test_health_is_not_compiled_whatever_it_looks_at(big):
    """Its parts look dear, above all before the first ANALYZE: what it is made of is behind a door with JIT off."""
    ((plan,),) = big.execute("EXPLAIN (FORMAT JSON) SELECT * FROM lead_protection.health").fetchall()
    assert plan[0]["Plan"]["Total Cost"] < 100
    ((config,),) = big.execute(
        "SELECT proconfig FROM pg_proc WHERE oid = 'lead_protection.health_now()'::regprocedure"
    ).fetchall()
    assert "jit=off" in config


def test_metrics_are_not_compiled_by_whoever_selects_them(big):
    """Through the door of metric_samples(); by default PostgreSQL compiles from a cost of 100,000 on."""
    ((plan,),) = big.execute("EXPLAIN (FORMAT JSON) SELECT * FROM lead_protection.v_metrics").fetchall()
    assert plan[0]["Plan"]["Total Cost"] < 1000
    big.execute("SET jit = on; SET jit_above_cost = 1000")
    text = json.dumps(big.execute("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM lead_protection.v_metrics").fetchone())
    assert "JIT" not in text
    ((config,),) = big.execute(
        "SELECT proconfig FROM pg_proc WHERE oid = 'lead_protection.metric_samples(text[])'::regprocedure"
    ).fetchall()
    assert "jit=off" in config
