"""What bulk calls keep: nothing of unknown leads, nothing for good; and they are linear where nothing was analysed."""

import time

import pytest

from helpers.calls import call, row, rows
from helpers.facts import NIGHTLY_IDLE, PROTECTED, insert_leads_of_age
from helpers.jobs import run_nightly

KEPT = "SELECT lead_id FROM lead_protection.bulk_hold_results ORDER BY lead_id"


def hold(db, key, lead_ids, actor_id=1, **more):
    return call(db, "hold_leads", request_key=key, reason="x", actor_id=actor_id, lead_ids=lead_ids, **more)


def told(answers) -> list[tuple]:
    return [(a["lead_id"], a["outcome"], a["sqlstate"]) for a in answers]


@pytest.mark.parametrize("function", ["hold_leads", "release_leads"])
def test_results_of_unknown_leads_are_answered_and_not_kept(db, function):
    """In 0.4.0 a million unknown numbers were 166 MB a call, for good."""
    insert_leads_of_age(db, PROTECTED, PROTECTED)
    named = {"request_key": "k", "actor_id": 1, "lead_ids": [99, 2, -5, 1]}
    if function == "hold_leads":
        named["reason"] = "x"
    first = call(db, function, **named)
    done = "done" if function == "hold_leads" else "already"
    unknown = ("refused", "LP002")
    assert told(first) == [(-5, *unknown), (1, done, None), (2, done, None), (99, *unknown)]
    assert [r["lead_id"] for r in rows(db, KEPT)] == [1, 2]
    # The same answer again, by whomever, also once the lead is there.
    db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (99, 7)")
    assert call(db, function, **(named | {"actor_id": 2})) == first
    assert {(a["actor_id"], a["decided_at"]) for a in first} == {(1, first[0]["decided_at"])}


def test_a_repeated_request_for_a_user_tells_nothing_of_leads_that_came_since(db):
    insert_leads_of_age(db, PROTECTED)
    first = call(db, "hold_leads", request_key="k", reason="x", actor_id=1, user_id=7)
    db.execute("INSERT INTO lead_protection.leads (id, user_id) VALUES (2, 7)")
    assert call(db, "hold_leads", request_key="k", reason="x", actor_id=1, user_id=7) == first
    assert told(first) == [(1, "done", None)]


@pytest.mark.slow("a million numbers")
def test_a_million_unknown_numbers_keep_a_row(db):
    size = "SELECT pg_total_relation_size('lead_protection.bulk_hold_results') AS size"
    before = row(db, size)["size"]
    hold(db, "k", list(range(1, 50_001)))
    assert row(db, size)["size"] <= before + 8192
    assert rows(db, KEPT) == []
    assert len(rows(db, "SELECT FROM lead_protection.bulk_hold_requests")) == 1


def test_results_are_kept_as_long_as_job_history(db):
    insert_leads_of_age(db, PROTECTED, PROTECTED)
    hold(db, "old", [1])
    hold(db, "new", [2])
    db.execute(
        "UPDATE lead_protection.bulk_hold_requests SET asked_at = now() - INTERVAL '91 days' WHERE request_key = 'old'"
    )
    assert run_nightly(db) == NIGHTLY_IDLE | {"bulk_requests_purged": 1}
    assert [r["lead_id"] for r in rows(db, KEPT)] == [2]
    # What it did stays, and the key is a new request's.
    assert told(hold(db, "old", [1])) == [(1, "already", None)]


@pytest.mark.slow("thousands of leads, in a time that is compared")
def test_bulk_calls_are_linear_without_statistics(db):
    """In 0.4.0 10,000 leads of a fresh database took over a minute: a list of all open holds was read for each."""
    for table in ("leads", "lead_holds", "lead_clocks", "lead_reminders", "lead_extensions", "lead_activities"):
        db.execute(f"ALTER TABLE lead_protection.{table} SET (autovacuum_enabled = off)")
    db.execute("DELETE FROM pg_statistic WHERE starelid::regclass::text LIKE 'lead_protection.%'")
    db.execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid::regclass::text LIKE 'lead_protection.%'")
    taken = []
    for part, leads in enumerate((1000, 4000)):
        db.execute(
            "INSERT INTO lead_protection.leads (user_id, created_at)"
            " SELECT 7, now() - INTERVAL '30 days' FROM generate_series(1, %s)",
            (leads,),
        )
        ids = [r["id"] for r in rows(db, "SELECT id FROM lead_protection.leads ORDER BY id DESC LIMIT %s", (leads,))]
        hold(db, f"before {part}", ids)
        started = time.monotonic()
        # All of them are on hold, which is what the search for a hold that is there must not read for each.
        assert len(hold(db, f"again {part}", ids)) == leads
        call(db, "release_leads", request_key=f"release {part}", actor_id=1, lead_ids=ids)
        hold(db, f"anew {part}", ids)
        taken.append((time.monotonic() - started) / leads)
    assert taken[1] < 3.5 * taken[0], taken
